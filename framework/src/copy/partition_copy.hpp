// One partition: what the new log has of it is compared with the old one, the rest is appended.
//
// Threading: one thread; blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "copy/offset_map.hpp"
#include "copy/record_translation.hpp"
#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa::detail {

struct partition_copy {
  event_log& from;
  event_log& to;
  topic_partition where;
  offset until;  // in the old log
  std::size_t batch_bytes;
  record_translation& translate;
  /// Appends durably, and gives the first record's offset. `sequence` grows.
  std::function<result<offset>(std::shared_ptr<const record_batch>, std::uint64_t sequence)> append;
  /// Called with the count of records that were looked at.
  std::function<void(std::uint64_t)> progress;

  struct outcome {
    offset_map map;
    std::uint64_t found = 0;
    std::uint64_t appended = 0;
  };
  /// errc::already_exists: the new log has other records there.
  /// errc::incompatible: its topic does not keep records as they are given.
  [[nodiscard]] result<outcome> run() const;

 private:
  [[nodiscard]] result<void> check_kept(const record_batch& batch, offset base) const;
};

}  // namespace kappa::detail
