// How values become JSON text, for queries, tools and topics that hold JSON. The code generator
// specializes it; users may for their own types:
//
//   template <> struct kappa::json_traits<my_type> {
//     static std::string to_json(const my_type& v);
//     static result<my_type> from_json(std::string_view text);   // errc::decode names the member
//   };
//
// Threading: stateless, callable from any thread.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

#include "kappa/core/error.hpp"

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

}  // namespace kappa
