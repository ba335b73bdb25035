// Moves apps and topics from one log to another: from the embedded log to Kafka, back, or between
// two of a kind.
//
// Records keep partition, order, key, value, time and headers; their offsets may become others,
// because on Kafka the end of each transaction takes one. So what the log itself says of offsets is
// translated: positions, birth and epoch records, markers, and the headers that name the place of a
// record. States are not moved: the app rebuilds them from the copied log, muted.
//
// The copy is resumed where it was left: what the new log has of a partition is compared with the
// old one record by record, and the rest is appended. Until it is complete, a position of the app
// says so in the new log, and no host starts on it (copy_note.hpp). The positions of an app and
// that it is complete are one transaction, the last one.
//
// Threading: one thread; blocks, as long as reading and writing takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa {

struct copy_options {
  /// Only what this app owns and reads; empty: see `topics`.
  std::string app{};
  /// Only these; where one is an app's, all must be there that the app owns and reads. Empty, and
  /// no app: all.
  std::vector<std::string> topics{};
  /// Who holds the apps meanwhile, for people ("kappa copy, pid 4711").
  std::string instance = "kappa copy";
  /// Of one transaction.
  std::size_t batch_bytes = std::size_t{1} << 20;
  static constexpr std::size_t min_batch_bytes = 1;
  static constexpr std::size_t max_batch_bytes = std::size_t{64} << 20;
  /// Called before each transaction with what is being copied: "orders[3], 5000 of 20000".
  std::function<void(const std::string&)> progress{};
};

struct copy_report {
  std::vector<std::string> moved;     // apps that can be started on the new log now
  std::vector<std::string> complete;  // apps that had been moved before: left as they are
  std::uint64_t topics = 0;
  std::uint64_t partitions = 0;
  std::uint64_t records = 0;  // appended by this call
  std::uint64_t found = 0;    // of an earlier call, compared
  std::uint64_t positions = 0;
};

/// errc::invalid_argument: the options, or both are one log. errc::owned: an app runs. errc::
/// already_exists: the new log has other things under these names. errc::refused_start: the app
/// could not go on there (its state could not be rebuilt, a replay is under way, it is not whole in
/// the old log either), or the old log changed meanwhile. errc::incompatible: a topic that was
/// there does not keep records as they are given. errc::fenced: another copy has taken over. After
/// any error the same call goes on where this one ended.
[[nodiscard]] result<copy_report> copy_log(event_log& from, event_log& to,
                                           const copy_options& options);

}  // namespace kappa
