// Topics that hold JSON.
//
//   app.stream<kappa::json<flight>>("flights.json")      // a type whose codec is another one
//
//   template <> struct kappa::codec<my_type> : kappa::json_codec<my_type> {};   // always JSON
//
// Both rest on kappa::json_traits<T>: made by the code generator, or the user's own two functions.
//
// JSON is for the edges. Its text has no canonical form, so do not use it for keys, and members
// that the type does not know are passed over when read.
//
// Threading: stateless.
#pragma once

#include <string>
#include <utility>

#include "kappa/core/bytes.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/json_traits.hpp"
#include "kappa/serialization/generated.hpp"
#include "kappa/serialization/json.hpp"

namespace kappa {
namespace detail {

// A type that has a schema elsewhere says which; others are all "json".
template <class T>
std::string json_name() {
  if constexpr (generated_struct<T> || extends_generated<T>) {
    return "json:" + generated_calls<typename T::schema_type>::schema().name;
  } else if constexpr (requires { std::string{json_traits<T>::name}; }) {
    return "json:" + std::string{json_traits<T>::name};
  } else {
    return "json";
  }
}

}  // namespace detail

/// A codec that is the JSON text. `json_traits<T>::name` (optional) tells the type from others
/// where its bytes are stored.
template <class T>
struct json_codec {
  static void encode(const T& v, bytes& out) { out.append(json_traits<T>::to_json(v)); }
  static result<T> decode(bytes_view in) { return json_traits<T>::from_json(in); }
  /// JSON names its members, so any version of a type may read any other.
  static schema_info schema() { return {detail::json_name<T>(), 0, 4, "json", nullptr}; }
};

/// T, kept as JSON where it is stored. Use it like a T.
template <has_json T>
struct json : T {
  friend bool operator==(const json&, const json&) = default;
};

template <has_json T>
struct json_traits<json<T>> {
  static std::string to_json(const json<T>& v) { return json_traits<T>::to_json(v); }
  static result<json<T>> from_json(std::string_view text) {
    return json_traits<T>::from_json(text).map([](T&& v) { return json<T>{std::move(v)}; });
  }
};

template <class T>
struct codec<json<T>> : json_codec<json<T>> {
  static schema_info schema() { return json_codec<T>::schema(); }
};

template <class T>
struct event_traits<json<T>> : event_traits<T> {};

}  // namespace kappa
