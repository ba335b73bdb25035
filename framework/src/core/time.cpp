#include "kappa/core/time.hpp"

#include <cstdint>
#include <utility>

#include <fmt/format.h>

namespace kappa {
namespace {

bool digits(std::string_view text, std::size_t at, std::size_t n, int& out) {
  if (at + n > text.size()) return false;
  int v = 0;
  for (std::size_t i = at; i < at + n; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    v = v * 10 + (text[i] - '0');
  }
  out = v;
  return true;
}

}  // namespace

std::string format_time(timestamp t) {
  if (t == min_time) return "-inf";
  if (t == max_time) return "+inf";
  // Years of four digits: others could not be read again, and far ones overflow the calendar.
  constexpr std::chrono::sys_days first{std::chrono::year{0} / 1 / 1};
  constexpr std::chrono::sys_days after_last{std::chrono::year{10'000} / 1 / 1};
  if (t < first || t >= after_last) return fmt::format("{}ms", t.time_since_epoch().count());
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day ymd{day};
  const std::chrono::hh_mm_ss hms{t - day};
  auto out = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(ymd.year()),
                         static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()),
                         hms.hours().count(), hms.minutes().count(), hms.seconds().count());
  if (hms.subseconds().count() != 0) out += fmt::format(".{:03}", hms.subseconds().count());
  return out + "Z";
}

std::optional<timestamp> parse_time(std::string_view text) {
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0, ms = 0;
  if (!digits(text, 0, 4, y) || !digits(text, 5, 2, mo) || !digits(text, 8, 2, d)) return {};
  if (text[4] != '-' || text[7] != '-') return {};
  std::size_t at = 10;
  if (text.size() > at) {
    if (text[at] != 'T' || !digits(text, 11, 2, h) || !digits(text, 14, 2, mi) || text[13] != ':') {
      return {};
    }
    at = 16;
    if (text.size() > at && text[at] == ':') {
      if (!digits(text, 17, 2, s)) return {};
      at = 19;
      if (text.size() > at && text[at] == '.') {
        if (!digits(text, 20, 3, ms)) return {};
        at = 23;
      }
    }
    if (text.size() > at && text[at] == 'Z') ++at;
    if (text.size() != at) return {};
  }
  const std::chrono::year_month_day ymd{std::chrono::year{y},
                                        std::chrono::month{static_cast<unsigned>(mo)},
                                        std::chrono::day{static_cast<unsigned>(d)}};
  if (!ymd.ok() || h > 23 || mi > 59 || s > 59) return {};
  return timestamp{std::chrono::sys_days{ymd}} + std::chrono::hours{h} + std::chrono::minutes{mi} +
         std::chrono::seconds{s} + milliseconds{ms};
}

timestamp system_now() {
  return std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
}

timestamp steady_now() {
  using clock = std::chrono::steady_clock;
  static const auto began = std::pair{system_now(), clock::now()};
  return began.first + std::chrono::floor<milliseconds>(clock::now() - began.second);
}

}  // namespace kappa
