// The events of an aggregate as elements of a stream: for projections, and for whatever else
// follows from what has happened.
//
//   app.events<account>("accounts")
//      .already_keyed(&kappa::event_of<account>::key)
//      .fold<statement>("statements", [](statement& s, const kappa::event_of<account>& e) {
//        if (const auto* w = e.as<withdrawn>()) s.add(e.time, -w->amount_cents);
//      });
//
// Events are partitioned by the aggregate's key, so that one keyed by it needs no hop. Former ones
// ($Kappa.formerEvent) come as what they are today (upcast.hpp). Personal fields stay sealed: what
// a stream keeps and writes is ciphertext.
//
// Threading: the task's thread. Ownership: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "kappa/aggregate/aggregate.hpp"
#include "kappa/aggregate/event_header.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/type_key.hpp"
#include "kappa/log/envelope.hpp"
#include "kappa/stream/graph.hpp"
#include "kappa/stream/operators.hpp"

namespace kappa {

/// Something that has happened to the aggregate of this key.
template <class A, class K = std::string>
struct event_of {
  K key;
  std::uint64_t version = 0;  // of the aggregate, with this event (apply_context::version)
  timestamp time = min_time;  // of the event
  any_event<A> event;

  /// Null: it is another one.
  template <class E>
  [[nodiscard]] const E* as() const {
    return std::get_if<E>(&event);
  }
};

namespace detail {

/// Which type a record says it is; most say the same as the one before.
class event_kinds {
 public:
  void add(const schema_info& type) { kinds_.emplace(key_of_type(type), kinds_.size()); }
  /// By the order in which they were added. errc::incompatible names a type that was not;
  /// errc::decode: no type is named.
  [[nodiscard]] result<std::size_t> find(const headers_view& headers);

 private:
  std::map<type_key, std::size_t> kinds_;
  bytes last_header_;
  std::size_t last_ = 0;
};

template <class A, class K, class Events = events_of<A>, class FormerEvents = former_events_of<A>>
class events_root;

template <class A, class K, class... Events, class... FormerEvents>
class events_root<A, K, type_list<Events...>, type_list<FormerEvents...>> final
    : public record_receiver {
 public:
  events_root(op_index op, const children& to) : op_{op}, out_{to} {
    (kinds_.add(codec<Events>::schema()), ...);
    (kinds_.add(codec<FormerEvents>::schema()), ...);
  }

  void receive(const record_view& record, step_context& ctx) override {
    using call = void (events_root::*)(const record_view&, std::uint64_t, step_context&) const;
    static constexpr call calls[] = {&events_root::template pass_on<Events>...,
                                     &events_root::template pass_on<FormerEvents>...};
    ctx.op = op_;
    if (!record.key || !record.value)
      throw step_failure{error{errc::decode, "", "an event of an aggregate has a key and a value"}};
    const auto header = value_or_fail(decode_event_header(record.headers));
    ctx.key = record.key;
    ctx.time = ctx.record_time = record.time;
    (this->*calls[value_or_fail(kinds_.find(record.headers))])(record, header.version, ctx);
  }

 private:
  template <class E>
  void pass_on(const record_view& record, std::uint64_t version, step_context& ctx) const {
    const auto stored = value_or_fail(codec<E>::decode(*record.value));
    event_of<A, K> element{decoded_key<K>(*record.key), version, record.time, {}};
    each_event<A>::of(stored, apply_context{*record.key, version, record.time}, [&](const auto& e) {
      element.event = e;
      out_.push(element, ctx);
    });
  }

  op_index op_;
  outlet<event_of<A, K>> out_;
  event_kinds kinds_;
};

}  // namespace detail
}  // namespace kappa
