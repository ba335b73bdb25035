// A number that is all of a text.
//
// Threading: pure.
#pragma once

#include <charconv>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace kappa {

/// Whether `text` is a T and nothing else (no space, no "+", nothing after it), and within T's
/// range; `value` is changed only then. Integers are read to `base`.
template <class T>
[[nodiscard]] bool parse_number(std::string_view text, T& value, [[maybe_unused]] int base = 10) {
  T read{};
  const auto* const end = text.data() + text.size();
  std::from_chars_result done{};
  if constexpr (std::is_floating_point_v<T>) {
    done = std::from_chars(text.data(), end, read);
  } else {
    done = std::from_chars(text.data(), end, read, base);
  }
  if (done.ec != std::errc{} || done.ptr != end) return false;
  value = read;
  return true;
}

}  // namespace kappa
