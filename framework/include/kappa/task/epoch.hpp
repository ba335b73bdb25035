// Epochs: the unit of commit, replay and test.
//
// A closed epoch is an immutable value; a T1 is a set of them. What replay cannot find out from
// the inputs alone is written into the stage's epochs topic, inside T1: the birth record with a
// stage's first T1, and an epoch record for epochs with several inputs, idleness, end of input,
// failed user code or a border between two timers.
//
// Threading: a closed epoch may be read from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kappa/core/bytes.hpp"
#include "kappa/core/strong.hpp"
#include "kappa/core/time.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/state/snapshot_record.hpp"
#include "kappa/state/timer_table.hpp"
#include "kappa/task/task_id.hpp"

namespace kappa {

/// Work of one task between two commits.
struct closed_epoch {
  task_id task;
  epoch_number number;
  std::vector<log_transaction::append> appends;
  /// None: answers, which may be appended twice when the outcome of a commit was unknown.
  std::vector<log_transaction::move> moves;
  /// Indices in `appends` of what only this task writes, and whose offsets it must know, also after
  /// a commit whose outcome was unknown: what goes into the epochs topic, an aggregate's events.
  std::vector<std::size_t> own_appends;
  std::size_t output_bytes = 0;
};

using epoch_ptr = std::shared_ptr<const closed_epoch>;

/// What a position carries as metadata: which epoch moved it last, a source's place, whether all
/// inputs have ended and nothing is left to do, and which order to build the state anew was the
/// last one (they count from 1), and the last one that was carried out.
struct position_metadata {
  epoch_number epoch;
  std::optional<bytes> place;
  bool ended = false;
  std::uint32_t rebuild_ordered = 0;
  std::uint32_t rebuild_done = 0;
  friend bool operator==(const position_metadata&, const position_metadata&) = default;
};
[[nodiscard]] bytes encode_metadata(const position_metadata& m);
[[nodiscard]] std::optional<position_metadata> decode_metadata(bytes_view in);

/// {stage, generation, fingerprint, log id, start positions}: kept for ever.
struct birth_record {
  std::uint64_t fingerprint = 0;
  std::string log_id;
  std::vector<offset> starts;  // one an input, in the stage's order
  std::vector<std::string> inputs;
  friend bool operator==(const birth_record&, const birth_record&) = default;
};

/// A timer, and which of the task's two sets it was in.
struct fired_timer {
  bool closing = true;
  kappa::timer timer;
  friend bool operator==(const fired_timer&, const fired_timer&) = default;
};

struct epoch_record {
  struct bounds {
    offset from;
    offset to;
    friend bool operator==(const bounds&, const bounds&) = default;
  };
  struct failed_record {
    std::uint32_t input = 0;
    kappa::offset offset;
    std::string op;
    friend bool operator==(const failed_record&, const failed_record&) = default;
  };
  epoch_number number;
  timestamp clock = min_time;  // wall clock at its opening
  std::string code_version;
  std::vector<bounds> inputs;
  std::vector<std::uint32_t> idle;   // inputs declared idle at the opening
  std::vector<std::uint32_t> ended;  // inputs declared ended at the opening
  /// Event time of the inputs from outside was moved here by hand (or by the wall clock).
  std::optional<timestamp> advance;
  std::vector<failed_record> failed_records;  // user code failed: replay skips them
  std::vector<fired_timer> failed_timers;
  /// The epoch closed between two timer steps: the last one that was fired.
  std::optional<fired_timer> fired_up_to;
  std::optional<bytes> place;  // of a source
  friend bool operator==(const epoch_record&, const epoch_record&) = default;
};

/// Values of the epochs topic; the first byte tells which.
[[nodiscard]] bytes encode_birth(const birth_record& b);
[[nodiscard]] bytes encode_epoch_record(const epoch_record& r);
[[nodiscard]] std::optional<birth_record> decode_birth(bytes_view in);
[[nodiscard]] std::optional<epoch_record> decode_epoch_record(bytes_view in);
[[nodiscard]] bool is_birth(bytes_view in);

}  // namespace kappa
