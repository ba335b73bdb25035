// The crash tests' own reader of the embedded log: straight from the LMDB file, by the documented
// layout (framework/src/log/frame.hpp, embedded_layout.hpp, kappa/log/record.hpp), without any of
// the log's code.
//
// Threading: plain functions. No process may be writing the log. Errors: throws std::runtime_error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kappa::crash {

struct raw_record {
  std::int64_t offset = 0;
  std::int64_t time_ms = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::string>> headers;

  [[nodiscard]] const std::string* header(const std::string& name) const;
  [[nodiscard]] bool marker() const { return header("kappa.marker") != nullptr; }
  friend bool operator==(const raw_record&, const raw_record&) = default;
};

using raw_partition = std::vector<raw_record>;

struct raw_log {
  std::string id;
  std::map<std::string, std::vector<raw_partition>> topics;
  std::map<std::string, std::string> positions;  // as stored
};

/// All records of all topics. A frame that is malformed, has a wrong checksum, or does not follow
/// the one before it throws, naming topic, partition and offset.
[[nodiscard]] raw_log read_raw_log(const std::filesystem::path& folder);

}  // namespace kappa::crash
