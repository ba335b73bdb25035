#include <iterator>

#include "kappa/serialization/kinds.hpp"

namespace kappa::wire {

void print_text(std::string& out, std::string_view v) {
  out.push_back('"');
  out.append(printable(v, v.size()));
  out.push_back('"');
}
void print_data(std::string& out, bytes_view v) {
  constexpr std::size_t limit = 32;  // bytes are for machines: enough to tell values apart
  constexpr char digits[] = "0123456789abcdef";
  out.append("0x");
  for (const char c : v.substr(0, limit)) {
    out.push_back(digits[static_cast<unsigned char>(c) >> 4]);
    out.push_back(digits[static_cast<unsigned char>(c) & 15]);
  }
  if (v.size() > limit) fmt::format_to(std::back_inserter(out), "…({} bytes)", v.size());
}
void print_number(std::string& out, std::int64_t v) {
  fmt::format_to(std::back_inserter(out), "{}", v);
}
void print_number(std::string& out, std::uint64_t v) {
  fmt::format_to(std::back_inserter(out), "{}", v);
}
void print_number(std::string& out, double v) { fmt::format_to(std::back_inserter(out), "{}", v); }
void print_number(std::string& out, float v) { fmt::format_to(std::back_inserter(out), "{}", v); }

void print_time(std::string& out, timestamp v) {
  // format_time is for times that a calendar can have; a value may hold anything.
  constexpr timestamp first = std::chrono::sys_days{std::chrono::year{-9999} / 1 / 1};
  constexpr timestamp end = std::chrono::sys_days{std::chrono::year{10000} / 1 / 1};
  if (v == min_time || v == max_time || (v >= first && v < end)) {
    out.append(format_time(v));
  } else {
    fmt::format_to(std::back_inserter(out), "{}ms", v.time_since_epoch().count());
  }
}

}  // namespace kappa::wire
