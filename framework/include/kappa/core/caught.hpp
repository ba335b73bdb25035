// Where exceptions end: what is thrown (by user code, by a library) becomes an error, and is
// reported as one.
//
// Threading: any thread.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include "kappa/core/error.hpp"

namespace kappa::detail {

/// An error on its way through code that returns no results.
class thrown_error : public std::exception {
 public:
  explicit thrown_error(error e) : error_{std::move(e)} {}
  [[nodiscard]] const char* what() const noexcept override { return error_.message.c_str(); }
  [[nodiscard]] const error& reason() const { return error_; }

 private:
  error error_;
};

/// Within a catch block: what was thrown, as an error about `subject`.
[[nodiscard]] inline error error_caught(const std::string& subject) {
  try {
    throw;
  } catch (const thrown_error& e) {
    auto reason = e.reason();
    if (reason.subject.empty()) reason.subject = subject;
    return reason;
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
