// Codec and JSON of a type that derives from another one and adds methods only:
//
//   template <> struct kappa::codec<my::delay_stats> : kappa::codec_of_base<my::delay_stats, base>
//   {};
//
// (Types that derive from generated ones have this without the line.)
//
// Threading: stateless.
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <utility>

#include "kappa/core/codec.hpp"
#include "kappa/core/json_traits.hpp"

namespace kappa {
namespace detail {

struct anything {
  template <class T>
  operator T() const;  // never defined: asks only whether a second member can be initialized
};

/// Whether Derived's bytes are Base's: a member of its own would not be stored.
template <class Derived, class Base>
inline constexpr bool adds_no_members = sizeof(Derived) == sizeof(Base) && !requires(Base b) {
  Derived{b, anything{}};
};

template <class Derived, class Base>
result<Derived> derived_from(result<Base> base) {
  static_assert(std::derived_from<Derived, Base>);
  static_assert(std::default_initializable<Derived>,
                "the type needs a default constructor to be decoded");
  static_assert(adds_no_members<Derived, Base>,
                "a member that is not in the schema would not be stored: add it to the schema");
  if (!base) return fail(std::move(base.error()));
  Derived out{};
  static_cast<Base&>(out) = std::move(*base);
  return out;
}

}  // namespace detail

template <class Derived, class Base>
struct codec_of_base {
  static void encode(const Derived& v, bytes& out) { codec<Base>::encode(v, out); }
  static result<Derived> decode(bytes_view in) {
    return detail::derived_from<Derived, Base>(codec<Base>::decode(in));
  }
  static schema_info schema() { return codec<Base>::schema(); }
};

template <class Derived, class Base>
struct json_traits_of_base {
  static std::string to_json(const Derived& v) { return json_traits<Base>::to_json(v); }
  static result<Derived> from_json(std::string_view text) {
    return detail::derived_from<Derived, Base>(json_traits<Base>::from_json(text));
  }
};

}  // namespace kappa
