// Copies what is sound of a damaged embedded log into a new folder.
//
// Offsets, topics, the log's id, positions, producers' sequences and writers' terms are kept, so
// that apps go on with the state that they have. What is missing is left as a declared gap: readers
// pass over it, no offset is used twice.
// The damaged log is opened for reading only. Frames are looked for in the trees first, then in
// every page that no tree reaches any more and that is not free; each is taken only if its checksum
// is right for its partition and it was committed.
//
// The copy is made in "TO.part" and gets its name when it is complete and on disk: a copy that was
// interrupted is begun anew by the next call.
//
// Threading: one thread; it blocks, as long as reading and writing the file takes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kappa/core/damage.hpp"
#include "kappa/core/error.hpp"

namespace kappa {

struct salvage_options {
  std::filesystem::path from;
  std::filesystem::path to;  // must not exist, or be an empty folder
  /// The log's id, for a log that has lost its own: a state of it knows it. Else not used.
  std::string log_id{};
  progress_fn progress{};
};

struct missing_records {
  offset_range range;
  /// Nothing: the range is open, its end was lost too.
  std::optional<std::uint64_t> records;
};

struct salvage_report {
  std::string log_id;
  std::uint64_t topics = 0;
  std::uint64_t partitions = 0;
  std::uint64_t frames = 0;
  std::uint64_t records = 0;
  std::uint64_t positions = 0;
  /// Records that are not in the copy.
  std::vector<missing_records> missing;
  /// Anything else that is not, or that had to be made up: a position, a topic's settings, the
  /// log's id. Each says what follows from it.
  std::vector<damage> losses;

  [[nodiscard]] bool complete() const { return missing.empty() && losses.empty(); }
};

/// errc::invalid_argument: `log_id` cannot be one. errc::already_exists: `to` holds something.
/// errc::owned: an app still runs on `from`. errc::not_found, errc::io, errc::no_space.
/// errc::corrupt: nothing at all can be recognised.
[[nodiscard]] result<salvage_report> salvage_log(const salvage_options& options);

}  // namespace kappa
