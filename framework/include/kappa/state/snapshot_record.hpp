// What a task keeps beside its tables, in the same T2: where in the log its state is as of.
//
// Threading: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kappa/core/bytes.hpp"
#include "kappa/core/strong.hpp"
#include "kappa/core/time.hpp"

namespace kappa {

/// A task's place in time: what a snapshot keeps beside the tables (all as of one epoch).
struct snapshot_record {
  epoch_number epoch;
  std::vector<std::string> inputs;
  std::vector<offset> positions;
  offset epochs_next;  // position in the epochs topic
  timestamp real_watermark = min_time;
  bytes clocks;  // encoded input clocks
  std::uint64_t late_records = 0;
  /// Taken in replay: timers that are due were fired before, and are to be fired again, muted.
  bool replaying = false;
  /// The last order to build the state anew that it was built for; 0: there was none.
  std::uint32_t rebuild = 0;
  friend bool operator==(const snapshot_record&, const snapshot_record&) = default;
};
[[nodiscard]] bytes encode_snapshot(const snapshot_record& s);
[[nodiscard]] std::optional<snapshot_record> decode_snapshot(bytes_view in);

}  // namespace kappa
