// What a task's state answers to a question.
//
// Threading: the task's.
#pragma once

#include "actors/messages.hpp"
#include "kappa/task/runnable.hpp"

namespace kappa::detail {

/// errc::unavailable: it replays, and what is old is not wanted.
[[nodiscard]] result<state_entries> read_state(runnable_task& task, const read_request& r);

/// Whether the state is not as far yet as is asked for. An error: it never will be.
[[nodiscard]] result<bool> is_early(const runnable_task& task, const read_request& r,
                                    const state_entries& found);

}  // namespace kappa::detail
