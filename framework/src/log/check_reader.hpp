// The second process of a check: reads the log through LMDB, as an app would.
//
// Threading: one thread.
#pragma once

#include <vector>

#include "kappa/core/damage.hpp"
#include "kappa/core/error.hpp"
#include "kappa/log/check.hpp"

namespace kappa::detail {

/// Starts `options.reader`, follows what it says, and tells what it found, its own end included.
[[nodiscard]] result<std::vector<damage>> read_in_second_process(const log_check_options& options);

}  // namespace kappa::detail
