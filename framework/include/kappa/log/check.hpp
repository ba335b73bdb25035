// Verifies an embedded log: every page that is in use, every checksum, the order of offsets, the
// bounds, and that positions and producers point into them.
//
// Nothing is written, not even a lock file where the folder forbids it. The file's pages are read
// with bounds checked, never through LMDB's own trees: a damaged tree cannot crash or hang the
// check. What LMDB itself makes of the log is tried in a second process, when `reader` is given:
// its crash, or its silence, is damage too, at the place that it had said last.
//
// A log in use can be checked: it is seen as of one transaction, and of a later one when it changes
// while the check goes on, so that no old view keeps its pages from being used again.
//
// Threading: one thread for one check; it blocks, as long as reading the file takes.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "kappa/core/damage.hpp"
#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa {

struct log_check_options {
  std::filesystem::path folder;
  progress_fn progress{};
  /// Bytes of frames after which a log that was written meanwhile is seen as it is now: what an
  /// older view holds cannot be used again.
  std::uint64_t view_bytes = std::uint64_t{64} << 20;
  /// A program, and its first arguments, that calls `read_log_for_check` with the folder as its
  /// last argument. Empty: the log is not read through LMDB.
  std::vector<std::string> reader{};
  /// For how long the reader may say nothing before it is taken to hang.
  std::chrono::milliseconds reader_patience{60000};
};

struct log_check_report {
  std::string log_id;  // empty when it cannot be read
  std::uint64_t last_transaction = 0;
  std::uint64_t topics = 0;
  std::uint64_t partitions = 0;
  std::uint64_t frames = 0;
  std::uint64_t records = 0;
  std::uint64_t frame_bytes = 0;
  std::uint64_t producers = 0;
  std::uint64_t writers = 0;
  std::uint64_t pages = 0;       // in use
  std::uint64_t free_pages = 0;  // of the file, to be used again
  /// It was written while the check went on: pages that belong to nothing were not looked for.
  bool changed_meanwhile = false;
  /// What salvage had to leave out of this log, as it says itself. No damage.
  std::vector<offset_range> gaps;
  std::map<position_key, committed_position> positions;
  std::map<topic_partition, partition_bounds> bounds;
  std::vector<damage> damages;

  [[nodiscard]] bool healthy() const { return damages.empty(); }
};

/// Errors are for what cannot be opened at all: errc::not_found, errc::io, errc::corrupt (no LMDB
/// file, or none of its two first pages can be used), errc::incompatible (another format, or
/// something else than a log). Damage is in the report.
[[nodiscard]] result<log_check_report> check_log(const log_check_options& options);

/// What the second process does: reads all of the log in `folder` as an app would, and tells on
/// standard output where it is. Returns the process's exit code.
[[nodiscard]] int read_log_for_check(const std::filesystem::path& folder);

}  // namespace kappa
