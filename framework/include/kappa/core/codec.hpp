// How values become bytes: one template to specialize.
//
//   template <> struct kappa::codec<my_type> {
//     static void encode(const my_type& v, bytes& out);          // appends to `out`
//     static result<my_type> decode(bytes_view in);              // errc::decode names the reason
//     static schema_info schema();                               // what is stored beside the data
//   };
//
// Rules: decode(encode(v)) == v; equal values have equal bytes (keys are compared as bytes);
// `in` is 8-aligned for record values, not for keys.
//
// Threading: codecs are stateless and callable from any thread.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/schema_info.hpp"
#include "kappa/core/time.hpp"

namespace kappa {

template <class T>
struct codec;

template <class T>
concept encodable = requires(const T& v, bytes& out, bytes_view in) {
  codec<T>::encode(v, out);
  { codec<T>::decode(in) } -> std::same_as<result<T>>;
  { codec<T>::schema() } -> std::same_as<schema_info>;
};

/// Raw bytes and text: as they are.
template <>
struct codec<std::string> {
  static void encode(const std::string& v, bytes& out) { out.append(v); }
  static result<std::string> decode(bytes_view in) { return std::string{in}; }
  static schema_info schema() { return {"bytes", 0, 1, "bytes", nullptr}; }
};

/// Integers: big-endian with the sign bit flipped, widened to 64 bits, so that ordered scans over
/// integer keys are in number order.
template <class T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool> && sizeof(T) <= 8 &&
           !(std::is_unsigned_v<T> && sizeof(T) == 8))
struct codec<T> {
  static void encode(const T& v, bytes& out) { append_ordered(out, static_cast<std::int64_t>(v)); }
  static result<T> decode(bytes_view in) {
    const auto v = read_ordered(in);
    if (!v || in.size() != 8) return fail(errc::decode, "integer", "expected 8 bytes");
    if (*v < static_cast<std::int64_t>(std::numeric_limits<T>::min()) ||
        *v > static_cast<std::int64_t>(std::numeric_limits<T>::max())) {
      return fail(errc::decode, "integer", "out of the type's range");
    }
    return static_cast<T>(*v);
  }
  static schema_info schema() { return {"int64", 0, 2, "int64", nullptr}; }
};

/// Points in time: as integers, milliseconds.
template <>
struct codec<timestamp> {
  static void encode(const timestamp& v, bytes& out) {
    append_ordered(out, std::int64_t{v.time_since_epoch().count()});
  }
  static result<timestamp> decode(bytes_view in) {
    auto v = codec<std::int64_t>::decode(in);
    if (!v) return fail(v.error());
    return timestamp{milliseconds{*v}};
  }
  static schema_info schema() { return {"timestamp", 0, 3, "timestamp", nullptr}; }
};

/// What a type says of itself as an event. The code generator specializes it from the
/// annotations `$kappa.eventTime` and `$kappa.key`; users may too:
///   static timestamp time(const T&);      event time (absent: the record's timestamp)
///   static void key(const T&, bytes&);    the default record key, encoded (absent: none)
template <class T>
struct event_traits {};

template <class T>
concept has_event_time = requires(const T& v) {
  { event_traits<T>::time(v) } -> std::convertible_to<timestamp>;
};
template <class T>
concept has_event_key = requires(const T& v, bytes& out) {
  event_traits<T>::key(v, out);
};

template <class T>
[[nodiscard]] bytes encoded(const T& v) {
  bytes out;
  codec<T>::encode(v, out);
  return out;
}

}  // namespace kappa
