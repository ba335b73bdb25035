// What a task's state answers to a question.
//
// Threading: the task's.
#pragma once

#include <optional>

#include "actors/messages.hpp"
#include "kappa/task/runnable.hpp"

namespace kappa::detail {

/// Nothing: the aggregate is not at the version yet that is asked for. One that was deleted is not
/// among the entries, and has its version all the same.
/// errc::unavailable: it replays, and what is old is not wanted.
[[nodiscard]] result<std::optional<state_entries>> read_state(runnable_task& task,
                                                              const read_request& r);

}  // namespace kappa::detail
