// What a task's state answers to a question.
//
// Threading: the task's.
#pragma once

#include <optional>

#include "actors/messages.hpp"
#include "kappa/task/runnable.hpp"

namespace kappa::detail {

/// Nothing: the state is not as far yet as is asked for. An aggregate that was deleted is not among
/// the entries, and has its version all the same.
/// errc::unavailable: it replays, and what is old is not wanted; errc::invalid_argument: it never
/// will be as far.
[[nodiscard]] result<std::optional<state_entries>> read_state(runnable_task& task,
                                                              const read_request& r);

}  // namespace kappa::detail
