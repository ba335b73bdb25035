// Whether this build is slowed down by a sanitizer. A test that repeats one thing many times then
// does so less often.
#pragma once

namespace kappa::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

/// How often to do what is done `often` times in a build without.
constexpr unsigned repetitions(unsigned often) { return sanitized ? often / 5 : often; }

}  // namespace kappa::test
