// The recovery table: where a task starts, from facts alone (docs/reliability.md shows each row's
// test).
//
// P_s = position in the state, P_c = position committed in the log, F = first offset that the log
// still has, L = the next one to be written.
//
// Threading: a pure function.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kappa/core/error.hpp"
#include "kappa/core/strong.hpp"
#include "kappa/task/epoch.hpp"
#include "kappa/task/task_id.hpp"

namespace kappa {

struct input_facts {
  std::string name;
  std::optional<offset> in_state;   // P_s
  std::optional<offset> committed;  // P_c
  offset first;                     // F
  offset latest;                    // L
  /// Where a first start begins; none: earliest retained.
  std::optional<offset> start_from;
};

struct recovery_facts {
  task_id task;
  std::string log_id;
  std::optional<std::string> state_log_id;  // none: no state
  std::optional<birth_record> birth;
  std::optional<epoch_number> state_epoch;
  std::optional<epoch_number> committed_epoch;
  /// The order that the state was built for, and the last one in the log. A state that is older
  /// than the order is as good as none.
  std::uint32_t state_rebuild = 0;
  std::uint32_t rebuild_ordered = 0;
  /// The last one that the log says was carried out.
  std::uint32_t rebuild_done = 0;
  std::vector<input_facts> inputs;
  /// The user states that what is retained is enough to rebuild the state from.
  bool rebuildable = false;
  /// --adopt-state-position: believe the state where the log has lost the position.
  bool adopt_state_position = false;
};

struct recovery_plan {
  struct input {
    offset replay_from;  // muted from here …
    offset live_from;    // … to here, then live
  };
  std::vector<input> inputs;
  bool first_start = false;
  /// The state on disk is not used (there is none, or it is older than what the log retains).
  bool from_empty_state = false;
};

/// errc::refused_start, naming input, positions and the mend; errc::incompatible: another log.
[[nodiscard]] result<recovery_plan> plan_recovery(const recovery_facts& facts);

}  // namespace kappa
