// Errors as values. Every fallible call of Kappa returns `result<T>`.
//
// Exceptions are for bugs; user code that throws is caught at the task's boundary.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <tl/expected.hpp>

namespace kappa {

/// What went wrong. Append-only: the numbers are logged and sent to other processes.
enum class errc : std::uint16_t {
  invalid_argument = 1,  // the caller's value is out of bounds
  not_found = 2,         // no such topic, stage, key, file
  already_exists = 3,    // exists with other settings
  io = 4,                // the operating system said no
  no_space = 5,          // disk or map full
  corrupt = 6,           // a checksum or a structure is wrong: never read as data
  out_of_range = 7,      // an offset before the first or after the last
  too_large = 8,         // over a size limit
  fenced = 9,            // another owner has taken over
  owned = 10,            // another process owns it now
  incompatible = 11,     // of another app, generation, topology or version
  decode = 12,           // bytes that are not of the expected form
  indefinite = 13,       // outcome unknown: read the log's end before you answer
  unavailable = 14,      // not now: retry
  stopped = 15,          // shutting down
  timed_out = 16,
  user_code = 17,      // user code threw
  refused_start = 18,  // the recovery table refuses; message says the mend
  bad_config = 19,     // a flag, key or topology is wrong
  quarantined = 20,    // the task keeps failing and was taken out
  injected = 21,       // a test's fault
  denied = 22,         // the user it connects as may not
  elsewhere = 23,      // another process has the task: ask that one
  id_reused = 24,      // the command's id was another command's
  too_old = 25,        // whether it has happened may have been forgotten
  erased = 26,         // the key of whose data it is was deleted
};

[[nodiscard]] std::string_view name_of(errc code);

/// An error: what, about which thing ("orders[3]@812"), in words that name the mend.
struct error {
  errc code = errc::io;
  std::string subject;
  std::string message;
  bool retriable = false;

  [[nodiscard]] std::string text() const;
};

template <class T>
using result = tl::expected<T, error>;

/// `return fail(errc::not_found, topic, "no such topic; create it with …");`
[[nodiscard]] inline tl::unexpected<error> fail(errc code, std::string subject, std::string message,
                                                bool retriable = false) {
  return tl::unexpected<error>(error{code, std::move(subject), std::move(message), retriable});
}
[[nodiscard]] inline tl::unexpected<error> fail(error e) {
  return tl::unexpected<error>(std::move(e));
}

/// A bug was found at run time (state and positions of different epochs, a broken invariant):
/// says what and aborts the process, because going on could write wrong data.
[[noreturn]] void bug(std::string_view what);

}  // namespace kappa

template <>
struct fmt::formatter<kappa::error> : fmt::formatter<std::string> {
  template <class Context>
  auto format(const kappa::error& e, Context& ctx) const {
    return fmt::formatter<std::string>::format(e.text(), ctx);
  }
};
