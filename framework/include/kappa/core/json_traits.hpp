// How values become JSON text, for queries, tools and topics that hold JSON. The code generator
// specializes it; users may for their own types:
//
//   template <> struct kappa::json_traits<my_type> {
//     static std::string to_json(const my_type& v);
//     static result<my_type> from_json(std::string_view text);   // errc::decode names the member
//   };
//
// Here: integers, booleans, texts and times.
//
// Threading: stateless, callable from any thread.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

#include "kappa/core/error.hpp"
#include "kappa/core/time.hpp"

namespace kappa {

template <class T>
struct json_traits;

template <class T>
concept has_json = requires(const T& v, std::string_view text) {
  { json_traits<T>::to_json(v) } -> std::same_as<std::string>;
  { json_traits<T>::from_json(text) } -> std::same_as<result<T>>;
};

template <has_json T>
[[nodiscard]] std::string to_json(const T& v) {
  return json_traits<T>::to_json(v);
}
template <has_json T>
[[nodiscard]] result<T> from_json(std::string_view text) {
  return json_traits<T>::from_json(text);
}

/// Appends a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
void append_json_text(std::string& out, std::string_view v);

namespace detail {

[[nodiscard]] result<std::int64_t> json_integer(std::string_view text, std::int64_t least,
                                                std::int64_t most);
[[nodiscard]] result<std::uint64_t> json_unsigned(std::string_view text, std::uint64_t most);

}  // namespace detail

template <class T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool>)
struct json_traits<T> {
  static std::string to_json(const T& v) { return std::to_string(v); }
  static result<T> from_json(std::string_view text) {
    using limits = std::numeric_limits<T>;
    if constexpr (std::is_signed_v<T>) {
      return detail::json_integer(text, limits::min(), limits::max()).map([](auto v) {
        return static_cast<T>(v);
      });
    } else {
      return detail::json_unsigned(text, limits::max()).map([](auto v) {
        return static_cast<T>(v);
      });
    }
  }
};

template <>
struct json_traits<bool> {
  static std::string to_json(const bool& v) { return v ? "true" : "false"; }
  static result<bool> from_json(std::string_view text);
};

/// Texts. Bytes that are no text lose what is not UTF-8.
template <>
struct json_traits<std::string> {
  static std::string to_json(const std::string& v);
  static result<std::string> from_json(std::string_view text);
};

/// "2001-01-01T08:00:00Z"; read from a number of milliseconds too. Times that have no such text
/// (beyond the years 0000 to 9999) are numbers.
template <>
struct json_traits<timestamp> {
  static std::string to_json(const timestamp& v);
  static result<timestamp> from_json(std::string_view text);
};

}  // namespace kappa
