// Sees the failpoints that threads come by.
//
// Threading: one thread; what observes is called on any.
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "kappa/core/failpoint.hpp"

namespace kappa::testing {

/// To be made before a host and gone after it: its threads call it.
struct observed_failpoints {
  explicit observed_failpoints(std::function<void(std::string_view)> f) {
    failpoint::set_observer(std::move(f));
  }
  ~observed_failpoints() { failpoint::set_observer({}); }
  observed_failpoints(const observed_failpoints&) = delete;
  observed_failpoints& operator=(const observed_failpoints&) = delete;
};

}  // namespace kappa::testing
