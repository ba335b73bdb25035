// Whether a codec keeps its promises: what it wrote it reads, as an equal value, and an equal value
// has equal bytes. The test driver applies it to everything that it sees.
//
// Threading: plain functions. Errors: errc::decode with the type's name and the first bytes that
// differ.
#pragma once

#include <algorithm>
#include <concepts>

#include <fmt/format.h>

#include "kappa/core/bytes.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/error.hpp"

namespace kappa::testing {

namespace detail {

/// "byte 12 is \x05, was \x04; 40 bytes, were 48"
[[nodiscard]] inline std::string difference(bytes_view was, bytes_view is) {
  const auto [a, b] = std::mismatch(was.begin(), was.end(), is.begin(), is.end());
  const auto at = static_cast<std::size_t>(a - was.begin());
  const auto part = [at](bytes_view v) {
    return at < v.size() ? printable(v.substr(at, 16)) : std::string{"(end)"};
  };
  return fmt::format("from byte {} on it is {}, was {} ({} bytes, were {})", at, part(is),
                     part(was), is.size(), was.size());
}

}  // namespace detail

/// Bytes as they were stored: decoded and encoded again they are the same.
template <encodable T>
[[nodiscard]] result<void> check_stored(bytes_view stored) {
  auto value = codec<T>::decode(stored);
  if (!value) return fail(std::move(value.error()));
  const auto again = encoded(*value);
  if (again == stored) return {};
  return fail(errc::decode, codec<T>::schema().name,
              "decoded and encoded again the bytes differ: " + detail::difference(stored, again));
}

/// A value: decode(encode(v)) == v, where T has ==, and the bytes are the same each time.
template <encodable T>
[[nodiscard]] result<void> check_round_trip(const T& v) {
  const auto name = codec<T>::schema().name;
  const auto once = encoded(v);
  if (const auto twice = encoded(v); twice != once) {
    return fail(errc::decode, name,
                "encoded twice the bytes differ: " + detail::difference(once, twice));
  }
  // encode appends: what is in the buffer before must not matter, nor be touched.
  bytes behind = "123";
  codec<T>::encode(v, behind);
  if (behind.substr(0, 3) != "123" || behind.substr(3) != once) {
    return fail(errc::decode, name, "encode does not append to what the buffer holds");
  }
  auto value = codec<T>::decode(once);
  if (!value) return fail(std::move(value.error()));
  if constexpr (std::equality_comparable<T>) {
    // A value that is not equal to itself (it holds a NaN) cannot be compared.
    if (v == v && !(*value == v)) return fail(errc::decode, name, "decoded it is another value");
  }
  return check_stored<T>(once);
}

}  // namespace kappa::testing
