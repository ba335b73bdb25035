// The status of an app for machines: of one that runs and of one that does not the same members, at
// the same places. What nobody knows is null.
//
// Threading: plain functions.
#pragma once

#include <optional>
#include <string>

#include "kappa/admin.kappa.hpp"

namespace kappa::tools {

/// Of a running app: the process that has the task tells of it.
[[nodiscard]] bool was_told(const admin::task_status& t);

/// Of a stopped app nobody knows how much of a source's file or broker is left, nor what a task
/// that never committed has before it. `running`: it is told by the process that has it.
[[nodiscard]] bool knows_lag(const admin::stage_status& stage, const admin::task_status& task,
                             bool running);

/// {"running", "holder", "status": {…}}, with the members of admin::status. `holder`: who has the
/// app; nothing: it is stopped.
[[nodiscard]] std::string json_of_status(const admin::status& s,
                                         const std::optional<std::string>& holder);

}  // namespace kappa::tools
