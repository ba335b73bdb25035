// A type's values between bytes and JSON, for those who are told of types at run time: tools, HTTP.
//
// Threading: pure.
#pragma once

#include <string>
#include <string_view>

#include "kappa/core/bytes.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/json_traits.hpp"

namespace kappa::detail {

template <class T>
error has_no_json() {
  return {errc::invalid_argument, codec<T>::schema().name, "the type has no kappa::json_traits"};
}

/// errc::decode: the bytes are no T; errc::invalid_argument: T has no kappa::json_traits.
template <class T>
result<std::string> json_of_bytes(bytes_view in) {
  const bytes aligned{in};
  auto value = codec<T>::decode(aligned);
  if (!value) return fail(value.error());
  if constexpr (has_json<T>) {
    return to_json(*value);
  } else {
    return fail(has_no_json<T>());
  }
}

/// errc::decode: the text is no T; errc::invalid_argument: T has no kappa::json_traits.
template <class T>
result<bytes> bytes_of_json(std::string_view text) {
  if constexpr (has_json<T>) {
    auto value = from_json<T>(text);
    if (!value) return fail(value.error());
    return encoded(*value);
  } else {
    return fail(has_no_json<T>());
  }
}

}  // namespace kappa::detail
