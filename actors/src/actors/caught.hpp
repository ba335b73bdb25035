// Where exceptions end: what is thrown beyond a task's own boundary becomes an error too, and is
// reported as one.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include "kappa/core/error.hpp"

namespace kappa::detail {

/// Within a catch block: what was thrown, as an error about `subject`.
[[nodiscard]] inline error error_caught(const std::string& subject) {
  try {
    throw;
  } catch (const std::bad_alloc&) {  // another time there is enough
    return {errc::unavailable, subject, "out of memory", true};
  } catch (const std::exception& e) {
    return {errc::user_code, subject, e.what()};
  } catch (...) {
    return {errc::user_code, subject, "something was thrown that is not a std::exception"};
  }
}

/// Calls `f`, which returns a result.
template <class F>
[[nodiscard]] std::invoke_result_t<F&> caught(const std::string& subject, F&& f) {
  try {
    return f();
  } catch (...) {
    return fail(error_caught(subject));
  }
}

}  // namespace kappa::detail
