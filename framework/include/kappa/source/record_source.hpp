// A source outside the log: a file, a broker. Read by a source task, which commits the place in
// the source together with the records, so a killed and restarted source neither skips nor
// repeats a row.
//
// Threading: one thread at a time. `open` may block; `next` may wait for the source, but a host
// takes a call that does not return within its handler_limit for hung, and ends the process: give
// nothing instead when no row is there.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"

namespace kappa {

/// One row as it stands in the source.
struct source_row {
  bytes_view value;          // valid until the next call
  std::uint64_t number = 0;  // from 1; names the row in dead letters ("flights.csv:17")
};

struct source_progress {
  std::uint64_t rows = 0;
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;  // 0: unknown
};

class record_source {
 public:
  virtual ~record_source() = default;

  /// Opens at `place` (what `place()` gave after the last committed row; none: the start).
  /// errc::incompatible: the source is not the one that the place is of (named, with the mend).
  [[nodiscard]] virtual result<void> open(const std::optional<bytes>& place) = 0;
  /// The next row; nothing at the end, or, for a source without end, when none is there now.
  [[nodiscard]] virtual result<std::optional<source_row>> next() = 0;
  /// True when the last row was given and no more will come.
  [[nodiscard]] virtual bool at_end() const = 0;
  /// The place after the last row that `next` gave. At most 1 KiB.
  [[nodiscard]] virtual bytes place() const = 0;
  /// "flights.csv": named in dead letters.
  [[nodiscard]] virtual const std::string& name() const = 0;
  [[nodiscard]] virtual source_progress progress() const = 0;
};

using source_factory = std::function<std::unique_ptr<record_source>()>;

}  // namespace kappa
