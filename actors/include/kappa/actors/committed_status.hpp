// What the log tells of an app's tasks, in the words of the admin messages: how far each has
// committed, and how much there is behind that. For tasks that nobody can be asked about.
//
// Threading: a plain function; it blocks.
#pragma once

#include <string>

#include "kappa/admin.kappa.hpp"
#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa {

/// All stages that the app has run with, every task `stopped`: inputs, lag, epoch. A task without
/// inputs has committed nothing.
[[nodiscard]] result<admin::status> committed_status(event_log& log, const std::string& app);

}  // namespace kappa
