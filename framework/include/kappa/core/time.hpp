// Event time, and the clock that is handed in.
//
// Units: milliseconds since 1970-01-01T00:00:00Z. Threading: plain values; a clock must be safe to
// read from any thread.
#pragma once

#include <chrono>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace kappa {

using milliseconds = std::chrono::milliseconds;
/// A point in event time.
using timestamp = std::chrono::sys_time<milliseconds>;

/// "Before everything" (a channel not yet seen) and "after everything" (end of input).
inline constexpr timestamp min_time{milliseconds{std::numeric_limits<std::int64_t>::min()}};
inline constexpr timestamp max_time{milliseconds{std::numeric_limits<std::int64_t>::max()}};

/// t + d, held at the two ends instead of overflowing.
[[nodiscard]] constexpr timestamp saturating_add(timestamp t, milliseconds d) {
  std::int64_t sum = 0;
  if (t == min_time || t == max_time) return t;
  if (__builtin_add_overflow(t.time_since_epoch().count(), d.count(), &sum)) {
    return d.count() > 0 ? max_time : min_time;
  }
  return timestamp{milliseconds{sum}};
}

/// `2001-01-01T08:00:00Z`, with `.123` only when the milliseconds are not zero. Outside the
/// years 0 to 9999: the milliseconds since 1970, as `253402300800000ms`.
[[nodiscard]] std::string format_time(timestamp t);
/// `YYYY-MM-DD`, `YYYY-MM-DDTHH:MM` or `YYYY-MM-DDTHH:MM:SS[.mmm][Z]`; nothing else.
[[nodiscard]] std::optional<timestamp> parse_time(std::string_view text);

/// Wall clock, injected. Never read another one in framework code.
using clock_fn = std::function<timestamp()>;
[[nodiscard]] timestamp system_now();
/// The system's time at the first call, and what a clock that is never set says has passed since:
/// intervals measured with it hold when somebody sets the system's clock.
[[nodiscard]] timestamp steady_now();

}  // namespace kappa
