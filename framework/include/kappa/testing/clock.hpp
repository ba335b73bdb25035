// When the clock of a test begins.
#pragma once

#include "kappa/core/time.hpp"

namespace kappa::testing {

/// 2001-09-09T01:46:40Z, of scenarios, histories and drivers, unless they are told otherwise.
inline constexpr timestamp first_moment{milliseconds{1'000'000'000'000}};

}  // namespace kappa::testing
