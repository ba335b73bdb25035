// What an exception in a step means: the record's own fault, or the task's.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include "kappa/stream/step.hpp"

namespace kappa::detail {

struct step_error {
  error reason;
  /// User code threw: replay must not run it again, because it may not throw again.
  bool users = false;
  /// The record cannot be processed (dead letter). Otherwise the task itself cannot go on.
  bool of_the_record = false;
};

/// Call within a catch block.
inline step_error current_step_error() {
  try {
    throw;
  } catch (const step_failure& f) {
    const auto code = f.reason().code;
    return {f.reason(), false,
            code == errc::decode || code == errc::invalid_argument || code == errc::too_large ||
                code == errc::incompatible};
  } catch (const std::bad_alloc&) {  // says nothing of the record: another time there is enough
    return {error{errc::unavailable, "", "out of memory", true}, false, false};
  } catch (const std::exception& e) {
    return {error{errc::user_code, "", e.what()}, true, true};
  } catch (...) {
    return {error{errc::user_code, "", "user code threw something that is not a std::exception"},
            true, true};
  }
}

/// Calls `f`, which returns a result; what user code throws in it (a codec, a source) becomes an
/// error about `subject`: nothing may leave a task but results.
template <class F>
auto guarded(const std::string& subject, F&& f) -> std::invoke_result_t<F> {
  try {
    return f();
  } catch (...) {
    auto reason = current_step_error().reason;
    if (reason.subject.empty()) reason.subject = subject;
    return fail(std::move(reason));
  }
}

}  // namespace kappa::detail
