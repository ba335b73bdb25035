// The birth record of a task: the first record of its partition of the epochs topic.
//
// Threading: a plain function; blocks on the log.
#pragma once

#include <optional>

#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/task/epoch.hpp"

namespace kappa::detail {

/// Nothing: the task has never committed. errc::corrupt: the first record is another one.
[[nodiscard]] result<std::optional<birth_record>> first_birth(event_log& log,
                                                              const topic_partition& where);

}  // namespace kappa::detail
