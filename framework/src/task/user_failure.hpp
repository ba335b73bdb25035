// What an exception in a step means: the record's own fault, or the task's.
#pragma once

#include <new>

#include "kappa/core/caught.hpp"
#include "kappa/stream/step.hpp"

namespace kappa::detail {

struct step_error {
  error reason;
  /// User code threw, or what it wanted to write could not be: replay must not run it again,
  /// because it may not throw again, and writes nothing.
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
    const bool of_output = code == errc::too_large || code == errc::user_code;
    return {f.reason(), of_output,
            of_output || code == errc::decode || code == errc::invalid_argument ||
                code == errc::incompatible};
  } catch (const std::bad_alloc&) {  // says nothing of the record: another time there is enough
    return {error_caught(""), false, false};
  } catch (...) {
    return {error_caught(""), true, true};
  }
}

}  // namespace kappa::detail
