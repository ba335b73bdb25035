// What the headers that capnpc-kappa makes rest on: from one specialization of kappa::generated
// follow codec, JSON and printing.
//
// A type of the user's that derives from a generated one and adds methods, but no members, has all
// of it too, without a further line:
//
//   struct delay_stats : wire::delay_stats {
//     void add(std::int32_t delay);
//   };
//
// Threading: stateless, callable from any thread.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "kappa/core/bytes.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/json_traits.hpp"
#include "kappa/core/schema_info.hpp"
#include "kappa/core/time.hpp"
#include "kappa/keys/personal.hpp"
#include "kappa/serialization/codec_of_base.hpp"
#include "kappa/serialization/wire_fwd.hpp"

namespace kappa {

/// Specialized by generated headers for each struct of a schema, defined in the generated .cpp.
template <class T>
struct generated;

/// Specialized by generated headers for each enum: `static std::span<const enum_name> names`.
template <class T>
struct generated_enum;

/// A struct that capnpc-kappa made.
template <class T>
concept generated_struct = requires {
  typename T::schema_type;
}
&&std::same_as<typename T::schema_type, T>;

/// A type that adds methods to such a struct.
template <class T>
concept extends_generated = requires {
  typename T::schema_type;
}
&&generated_struct<typename T::schema_type> && !std::same_as<typename T::schema_type, T> &&
    std::derived_from<T, typename T::schema_type>;

template <class T>
concept schema_enum = requires {
  generated_enum<T>::count;
};

/// The calls that users of a generated type make. Declared here, instantiated in the generated
/// .cpp: their bodies (generated_impl.hpp) are compiled once.
template <class T>
struct generated_calls {
  static void encode(const T& v, bytes& out);
  static result<T> decode(bytes_view in);
  static schema_info schema();
  /// "flight{scheduled=2001-01-01T08:10:00Z, delay=60, origin="ORD"}"
  static std::string text(const T& v);
  static std::string to_json(const T& v);
  static result<T> from_json(std::string_view text);
};

template <generated_struct T>
struct codec<T> {
  static void encode(const T& v, bytes& out) { generated_calls<T>::encode(v, out); }
  static result<T> decode(bytes_view in) { return generated_calls<T>::decode(in); }
  static schema_info schema() { return generated_calls<T>::schema(); }
};

template <generated_struct T>
struct json_traits<T> {
  static std::string to_json(const T& v) { return generated_calls<T>::to_json(v); }
  static result<T> from_json(std::string_view text) { return generated_calls<T>::from_json(text); }
};

template <extends_generated T>
struct codec<T> : codec_of_base<T, typename T::schema_type> {};
template <extends_generated T>
struct json_traits<T> : json_traits_of_base<T, typename T::schema_type> {};
template <extends_generated T>
struct event_traits<T> : event_traits<typename T::schema_type> {};
template <extends_generated T>
struct personal_traits<T> : personal_traits<typename T::schema_type> {};

/// Enums of a schema: as their number, so that a key may be one.
template <schema_enum T>
struct codec<T> {
  static void encode(const T& v, bytes& out) {
    append_ordered(out, static_cast<std::int64_t>(static_cast<std::uint16_t>(v)));
  }
  static result<T> decode(bytes_view in) {
    auto v = codec<std::uint16_t>::decode(in);
    if (!v) return fail(v.error());
    return static_cast<T>(*v);
  }
  static schema_info schema() { return codec<std::uint16_t>::schema(); }
};

/// The name in the schema; "7" for a number that this version of the schema does not name.
template <schema_enum T>
[[nodiscard]] std::string text_of(T v) {
  const auto i = static_cast<std::uint16_t>(v);
  if (i < generated_enum<T>::count) return std::string{generated_enum<T>::names[i]};
  return std::to_string(i);
}

}  // namespace kappa

template <class T>
  requires(kappa::generated_struct<T> || kappa::extends_generated<T>)
struct fmt::formatter<T> : fmt::formatter<std::string> {
  template <class Context>
  auto format(const T& v, Context& ctx) const {
    return fmt::formatter<std::string>::format(
        kappa::generated_calls<typename T::schema_type>::text(v), ctx);
  }
};

template <kappa::schema_enum T>
struct fmt::formatter<T> : fmt::formatter<std::string> {
  template <class Context>
  auto format(T v, Context& ctx) const {
    return fmt::formatter<std::string>::format(kappa::text_of(v), ctx);
  }
};
