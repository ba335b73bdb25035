// Aggregates: event-sourced domain entities, each addressed by its key. The state is a plain struct
// that derives from one of the schema, `decide` says what follows from a command, `apply` changes
// the state by an event, live and in every replay:
//
//   struct account : wire::account_state {
//     using protocol = account_protocol;  // made from the schema: its commands and events
//
//     auto decide(const withdraw& c) const -> kappa::decision<withdrawn>;
//     void apply(const withdrawn& e) { balance_cents -= e.amount_cents; }
//     // … one decide per command, one apply per event
//   };
//
// An event that is a tombstone (tombstone.hpp) ends its life, and needs no apply.
//
// `decide` runs once for a command and may look at the clock of its context. `apply` must be
// deterministic and must not fail: what has happened cannot be refused.
//
// Threading: user code is called by one thread at a time.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "kappa/aggregate/command_result.hpp"
#include "kappa/aggregate/deadline.hpp"
#include "kappa/aggregate/decision.hpp"
#include "kappa/aggregate/tombstone.hpp"
#include "kappa/aggregate/upcast.hpp"
#include "kappa/core/bytes.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/time.hpp"
#include "kappa/core/type_list.hpp"

namespace kappa {

/// What is known when a command is decided, beside the state and the command. An aggregate that
/// wants it takes it as a second argument.
struct decide_context {
  bytes_view key;             // the aggregate's, encoded
  std::uint64_t version = 0;  // events so far
  timestamp now = min_time;   // the framework's clock
};

/// What is known of an event beside itself.
struct apply_context {
  bytes_view key;
  std::uint64_t version = 0;  // with this event; of several by an upcast: of all of them
  timestamp time = min_time;  // of the event
};

template <class A>
using commands_of = typename A::protocol::commands;
template <class A>
using events_of = typename A::protocol::events;
/// Any event of the aggregate.
template <class A>
using any_event = typename events_of<A>::template into<std::variant>;

template <class A>
concept aggregate_type = requires {
  typename A::protocol::commands;
  typename A::protocol::events;
};

namespace detail {

template <class A, class C>
concept decides_plainly = requires(const A& a, const C& c) {
  a.decide(c);
};
template <class A, class C>
concept decides_in_context = requires(const A& a, const C& c, const decide_context& ctx) {
  a.decide(c, ctx);
};
template <class A, class E>
concept applies_plainly = requires(A& a, const E& e) {
  a.apply(e);
};
template <class A, class E>
concept applies_in_context = requires(A& a, const E& e, const apply_context& ctx) {
  a.apply(e, ctx);
};

template <class A, class C>
concept decides = decides_plainly<A, C> || decides_in_context<A, C>;

/// What its commands come to that it has sent.
template <class A>
concept hears_results = decides<A, command_result>;
template <class A>
concept has_deadline = requires(const A& a) {
  { a.deadline() } -> std::same_as<std::optional<timestamp>>;
};

template <class A>
concept has_event_deadline = requires(const A& a) {
  { a.event_deadline() } -> std::same_as<std::optional<timestamp>>;
};
template <class A>
inline constexpr bool has_deadline_by(deadline_clock clock) {
  return clock == deadline_clock::machine ? has_deadline<A> : has_event_deadline<A>;
}

template <deadline_clock Clock, class A>
[[nodiscard]] std::optional<timestamp> deadline_of(const A& a) {
  if constexpr (Clock == deadline_clock::machine && has_deadline<A>) {
    return a.deadline();
  } else if constexpr (Clock == deadline_clock::events && has_event_deadline<A>) {
    return a.event_deadline();
  } else {
    return std::nullopt;
  }
}

/// Of a list of types.
template <class List>
inline constexpr bool any_has_event_time = false;
template <class... E>
inline constexpr bool any_has_event_time<type_list<E...>> = (has_event_time<E> || ...);

/// Of its protocol, or one that the framework gives it.
template <class A, class C>
inline constexpr bool is_command_of =
    commands_of<A>::template contains<C> || std::same_as<C, command_result> ||
    std::same_as<C, deadline_passed> || std::same_as<C, event_deadline_passed>;

// One template each, so that the compiler's "in instantiation of" names aggregate and type.
template <class Aggregate, class Command>
struct needs_decide {
  static_assert(decides<Aggregate, Command>,
                "the aggregate has no decide for this command of its protocol (or one that is not "
                "const): add auto decide(const Command&) const -> kappa::decision<…>");
  static_assert(encodable<Command>, "the command needs a kappa::codec");
  static constexpr bool ok = true;
};
template <class Aggregate, class Event>
struct needs_apply {
  static_assert(applies_plainly<Aggregate, Event> || applies_in_context<Aggregate, Event> ||
                    is_tombstone<Event>,
                "the aggregate has no apply for this event of its protocol: add "
                "void apply(const Event&)");
  static_assert(encodable<Event>, "the event needs a kappa::codec");
  static constexpr bool ok = true;
};

template <class A, class List>
inline constexpr bool decides_all = false;
template <class A, class... C>
inline constexpr bool decides_all<A, type_list<C...>> = (needs_decide<A, C>::ok && ...);
template <class A, class List>
inline constexpr bool applies_all = false;
template <class A, class... E>
inline constexpr bool applies_all<A, type_list<E...>> = (needs_apply<A, E>::ok && ...);

/// Does not compile for what is no aggregate, and says what it lacks.
template <class A>
constexpr bool check_aggregate() {
  static_assert(encodable<A>, "the state needs a kappa::codec: derive it from a schema's struct");
  static_assert(std::default_initializable<A> && std::copyable<A>,
                "the state begins as A{}, and older versions of it are kept for queries");
  static_assert(decides_all<A, commands_of<A>> && applies_all<A, events_of<A>>);
  static_assert(upcasts_all<A, former_events_of<A>>);
  static_assert(!has_deadline<A> || decides<A, deadline_passed>,
                "an aggregate with a deadline needs a decide for kappa::deadline_passed");
  static_assert(
      has_deadline<A> || !requires(const A& a) { a.deadline(); },
      "its deadline must give std::optional<kappa::timestamp>, and be const");
  static_assert(!has_event_deadline<A> || decides<A, event_deadline_passed>,
                "an aggregate with an event_deadline needs a decide for "
                "kappa::event_deadline_passed");
  static_assert(
      has_event_deadline<A> || !requires(const A& a) { a.event_deadline(); },
      "its event_deadline must give std::optional<kappa::timestamp>, and be const");
  static_assert(!has_event_deadline<A> || any_has_event_time<events_of<A>>,
                "an event_deadline never passes where no event has a time: mark a field of one "
                "with $Kappa.eventTime");
  return true;
}

template <class A, class C>
auto call_decide(const A& a, const C& c, const decide_context& ctx) {
  static_assert(is_command_of<A, C>, "this command is not of the aggregate's protocol");
  if constexpr (decides_in_context<A, C>) {
    static_assert(is_decision<decltype(a.decide(c, ctx))>,
                  "decide must give a kappa::decision<…> of events");
    return a.decide(c, ctx);
  } else {
    static_assert(is_decision<decltype(a.decide(c))>,
                  "decide must give a kappa::decision<…> of events");
    return a.decide(c);
  }
}

/// Whether the aggregate is gone then: it is A{} again.
template <class A, class E>
bool call_apply(A& a, const E& e, const apply_context& ctx) {
  if constexpr (applies_in_context<A, E>) {
    a.apply(e, ctx);
  } else if constexpr (applies_plainly<A, E>) {
    a.apply(e);
  }
  if constexpr (is_tombstone<E>) (void)std::exchange(a, A{});  // with its memory
  return is_tombstone<E>;
}

}  // namespace detail

}  // namespace kappa
