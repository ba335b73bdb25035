// Events of earlier versions of an aggregate's protocol. They stay in the schema as long as they
// are in a log, marked $Kappa.formerEvent, and `upcast` says what they are today:
//
//   static auto upcast(const withdrawn& e) -> std::tuple<money_withdrawn, fee_charged>;
//
// It gives an event of the protocol; several in a std::tuple, std::vector, std::variant or
// std::optional; or another former event, which is upcast in turn. Empty: none. It must be
// deterministic and must not fail, as `apply`.
//
// What an event in the log becomes does not change its place in the history: the aggregate's
// version counts events of the log, so that all that come of one are told the same version.
//
// Threading: plain functions; user code is called by one thread at a time.
#pragma once

#include <concepts>
#include <optional>
#include <tuple>
#include <variant>
#include <vector>

#include "kappa/core/codec.hpp"
#include "kappa/core/type_list.hpp"

namespace kappa {

struct apply_context;

namespace detail {

// Protocols that are written by hand may have none.
template <class A>
auto former_events_in() {
  if constexpr (requires { typename A::protocol::former_events; }) {
    return typename A::protocol::former_events{};
  } else {
    return type_list<>{};
  }
}

}  // namespace detail

template <class A>
using former_events_of = decltype(detail::former_events_in<A>());

namespace detail {

template <class A, class F>
concept upcasts_plainly = requires(const F& f) {
  A::upcast(f);
};
template <class A, class F>
concept upcasts_in_context = requires(const F& f, const apply_context& ctx) {
  A::upcast(f, ctx);
};

// As needs_apply (aggregate.hpp).
template <class Aggregate, class FormerEvent>
struct needs_upcast {
  static_assert(upcasts_plainly<Aggregate, FormerEvent> ||
                    upcasts_in_context<Aggregate, FormerEvent>,
                "the aggregate has no upcast for this former event of its protocol: add "
                "static auto upcast(const FormerEvent&), which gives events of the protocol");
  static_assert(encodable<FormerEvent>, "the former event needs a kappa::codec");
  static constexpr bool ok = true;
};
template <class A, class List>
inline constexpr bool upcasts_all = false;
template <class A, class... F>
inline constexpr bool upcasts_all<A, type_list<F...>> = (needs_upcast<A, F>::ok && ...);

template <class A, class F>
auto call_upcast(const F& f, const apply_context& ctx) {
  if constexpr (upcasts_in_context<A, F>) {
    return A::upcast(f, ctx);
  } else {
    return A::upcast(f);
  }
}

template <class A>
struct each_event {
  /// Calls `use` with each event of the protocol that `value` is or becomes, in order.
  template <class T, class Use>
  static void of(const T& value, const apply_context& ctx, const Use& use) {
    if constexpr (A::protocol::events::template contains<T>) {
      use(value);
    } else if constexpr (former_events_of<A>::template contains<T>) {
      static_assert(!std::same_as<decltype(call_upcast<A>(value, ctx)), T>,
                    "upcast gives what it was given");
      of(call_upcast<A>(value, ctx), ctx, use);
    } else {
      parts(value, ctx, use);
    }
  }

 private:
  template <class... T, class Use>
  static void parts(const std::tuple<T...>& all, const apply_context& ctx, const Use& use) {
    std::apply([&](const auto&... one) { (of(one, ctx, use), ...); }, all);
  }
  template <class T, class Use>
  static void parts(const std::vector<T>& all, const apply_context& ctx, const Use& use) {
    for (const auto& one : all) of(one, ctx, use);
  }
  template <class... T, class Use>
  static void parts(const std::variant<T...>& one, const apply_context& ctx, const Use& use) {
    std::visit([&](const auto& is) { of(is, ctx, use); }, one);
  }
  template <class T, class Use>
  static void parts(const std::optional<T>& one, const apply_context& ctx, const Use& use) {
    if (one) of(*one, ctx, use);
  }
  template <class T, class Use>
  static void parts(const T& /*other*/, const apply_context& /*ctx*/, const Use& /*use*/) {
    static_assert(!std::same_as<T, T>,
                  "upcast must give events of the aggregate's protocol, or several of them in a "
                  "std::tuple, std::vector, std::variant or std::optional");
  }
};

}  // namespace detail
}  // namespace kappa
