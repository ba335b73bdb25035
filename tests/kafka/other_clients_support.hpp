// Clients of Kafka that know nothing of Kappa: Java's, Python's and kcat, each a process of its
// own.
//
// Threading: one thread. Errors: a client that cannot be had or that fails fails the test, with its
// words on standard error.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kappa::test {

struct plain_record {
  std::optional<std::int32_t> partition{};  // none: where the client puts it
  std::int64_t offset = 0;
  std::int64_t time_ms = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers{};
};

class other_client {
 public:
  explicit other_client(std::string of) : name{std::move(of)} {}
  virtual ~other_client() = default;
  /// Gives where each was put: partition and offset.
  virtual std::vector<std::pair<std::int32_t, std::int64_t>> write(
      const std::string& brokers, const std::string& topic, const std::string& compression,
      const std::vector<plain_record>& records) const = 0;
  /// What is committed now, each partition in order.
  virtual std::vector<plain_record> read(const std::string& brokers,
                                         const std::string& topic) const = 0;

  const std::string name;
};

/// kcat gives records no times of its own, takes no newlines in them, and cannot write one that has
/// neither key nor value; it does not tell where it has put them (`write` gives nothing).
enum class client_kind { java, python, kcat };
[[nodiscard]] std::unique_ptr<other_client> make_client(client_kind kind);

}  // namespace kappa::test
