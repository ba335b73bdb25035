// Tests of an aggregate without a log:
//
//   kappa::testing::given<account>(opened{}, deposited{100})
//       .when(withdraw{500})
//       .then_rejected("insufficient funds");
//
// What has happened may be former events too ($Kappa.formerEvent), which are upcast as in a replay.
//
// Every scenario also goes through serialization: commands, events and the state after each of them
// are encoded and decoded again, and the state is made anew from all events. What differs fails the
// scenario.
//
// Personal fields are sealed with keys of the scenario's own; `erase_subject` deletes them.
//
// Threading: one thread. Errors: scenario_failed, which says what was expected and what came; test
// frameworks report an exception as a failure of the test.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "kappa/aggregate/aggregate.hpp"
#include "kappa/aggregate/personal_data.hpp"
#include "kappa/core/json_traits.hpp"
#include "kappa/keys/key_ring.hpp"
#include "kappa/keys/memory_key_store.hpp"
#include "kappa/testing/clock.hpp"
#include "kappa/testing/round_trip.hpp"

namespace kappa::testing {

struct scenario_failed : std::logic_error {
  using std::logic_error::logic_error;
};

namespace detail {

/// "Withdrawn{"amountCents":500}" as far as the type can be shown.
template <class T>
[[nodiscard]] std::string shown(const T& value) {
  const auto name = codec<T>::schema().name;
  const auto type = name.substr(name.rfind(':') + 1);
  if constexpr (has_json<T>) return type + to_json(value);
  return type + printable(encoded(value));
}

template <class... T>
[[nodiscard]] std::string shown(const std::variant<T...>& value) {
  return std::visit([](const auto& v) { return shown(v); }, value);
}

template <class T>
[[nodiscard]] std::string shown(const std::vector<T>& values) {
  if (values.empty()) return "no events";
  std::string out;
  for (const auto& v : values) out += (out.empty() ? "" : ", ") + shown(v);
  return out;
}

[[noreturn]] inline void disagree(std::string_view about, std::string_view expected,
                                  std::string_view came) {
  throw scenario_failed{fmt::format("{}: expected {}, came {}", about, expected, came)};
}

/// As it is after it was stored.
template <class T>
[[nodiscard]] T stored(const T& value) {
  const auto written = encoded(value);
  if (auto same = check_stored<T>(written); !same) throw scenario_failed{same.error().text()};
  return *codec<T>::decode(written);
}

template <class... T>
[[nodiscard]] std::variant<T...> stored(const std::variant<T...>& value) {
  return std::visit([](const auto& v) { return std::variant<T...>{stored(v)}; }, value);
}

}  // namespace detail

template <class A>
class scenario {
  static_assert(kappa::detail::check_aggregate<A>());

 public:
  using event = any_event<A>;

  /// An event of the protocol has happened, or a former one, and is in the log as it was then.
  template <class E>
  scenario& has_happened(const E& e) {
    const auto in_the_log = stored(e);
    const apply_context ctx{key_, ++version_, time_of(in_the_log)};
    if constexpr (has_event_time<E>) event_time_ = std::max(event_time_, ctx.time);
    kappa::detail::each_event<A>::of(in_the_log, ctx,
                                     [&](const auto& one) { happened(event{one}, ctx); });
    return *this;
  }

  /// The key that `decide` and `apply` are told, and the time that it is (first_moment else).
  template <encodable K>
  scenario& key(const K& k) {
    key_ = encoded(k);
    return *this;
  }
  scenario& at(timestamp now) {
    now_ = now;
    return *this;
  }

  /// Events of other aggregates of the partition have said so late a time.
  scenario& others_at(timestamp event_time) {
    event_time_ = std::max(event_time_, event_time);
    return *this;
  }

  /// Decides the command; what follows from it has then happened.
  template <class C>
  scenario& when(const C& command) {
    const auto about = shown(command);
    auto decided = kappa::detail::call_decide(state_, opened(stored(command)),
                                              decide_context{key_, version_, now_});
    outcome_.emplace();
    sends_seen_ = 0;
    publishes_seen_ = 0;
    outcome_->about = about;
    outcome_->reply = decided.reply_bytes();
    outcome_->sends = decided.sends();
    outcome_->publishes = decided.publishes();
    if (!outcome_->sends.empty() && decided.events().empty())
      throw scenario_failed{about + ": a decision that sends commands must have an event"};
    if (!outcome_->publishes.empty() && decided.events().empty())
      throw scenario_failed{about + ": a decision that publishes must have an event"};
    if (decided.rejected()) {
      outcome_->rejected = decided.why();
      return *this;
    }
    for (const auto& own : decided.events()) {
      outcome_->events.push_back(std::visit([](const auto& e) { return event{e}; }, own));
      std::visit([this](const auto& e) { has_happened(e); }, outcome_->events.back());
    }
    return *this;
  }

  /// Exactly these events, in this order.
  template <class... E>
  scenario& then(const E&... expected) {
    const auto& came = accepted();
    const std::vector<event> all{event{expected}...};
    if (came.events != all) detail::disagree(came.about, shown(all), shown(came.events));
    return *this;
  }
  scenario& then_nothing() { return then(); }

  scenario& then_rejected(std::string_view reason) {
    const auto& why = rejected(reason);
    if (why.reason != reason) detail::disagree(last().about, reason, why.reason);
    return *this;
  }
  template <encodable T>
    requires(!std::convertible_to<T, std::string_view>)
  scenario& then_rejected(const T& reason) {
    const auto& why = rejected(shown(reason));
    auto came = why.template as<T>();
    if (!came) throw scenario_failed{came.error().text()};
    if (*came) *came = opened(**came);
    if (!*came || !(**came == reason)) {
      detail::disagree(last().about, shown(reason), *came ? shown(**came) : why.reason);
    }
    return *this;
  }

  template <encodable T>
  scenario& then_reply(const T& expected) {
    const auto& came = accepted();
    if (!came.reply) detail::disagree(came.about, shown(expected), "no reply");
    auto reply = codec<T>::decode(*came.reply);
    if (!reply) throw scenario_failed{reply.error().text()};
    reply = opened(*reply);
    if (!(*reply == expected)) detail::disagree(came.about, shown(expected), shown(*reply));
    return *this;
  }

  /// Exactly this command, to this key; of several the next one.
  template <encodable K, encodable C>
  scenario& then_sent(const K& key, const C& command, std::string_view about = {}) {
    const auto& came = accepted();
    const auto expected = shown(command) + " to " + printable(encoded(key));
    if (sends_seen_ == came.sends.size()) detail::disagree(came.about, expected, "no command");
    const auto& s = came.sends[sends_seen_++];
    const auto type = codec<C>::schema().name;
    auto read = s.type->name == type ? codec<C>::decode(s.body) : result<C>{command};
    if (!read) throw scenario_failed{read.error().text()};
    read = opened(*read);
    if (s.type->name != type || !same(s.body, *read, command) || s.key != encoded(key) ||
        s.options.about != about) {
      detail::disagree(came.about, expected,
                       (s.type->name == type ? shown(*read) : s.type->name) + " to " +
                           printable(s.key) +
                           (s.options.about.empty() ? "" : " about " + s.options.about));
    }
    return *this;
  }
  template <encodable C>
  scenario& then_sent(const char* key, const C& command, std::string_view about = {}) {
    return then_sent(std::string{key}, command, about);
  }
  /// No command beside those of the then_sent before.
  scenario& then_sent_nothing() {
    const auto& came = accepted();
    if (sends_seen_ < came.sends.size()) {
      detail::disagree(
          came.about, "no further command",
          came.sends[sends_seen_].type->name + " to " + printable(came.sends[sends_seen_].key));
    }
    return *this;
  }

  /// Exactly this record, to this topic, under the aggregate's key or this one; of several the next
  /// one. Whether the app declares the topic a scenario does not know; the driver does.
  template <encodable T>
  scenario& then_published(std::string_view topic, const T& value) {
    return require_published(topic, key_, value);
  }
  template <encodable K, encodable T>
  scenario& then_published(std::string_view topic, const K& key, const T& value) {
    return require_published(topic, encoded(key), value);
  }
  template <encodable T>
  scenario& then_published(std::string_view topic, const char* key, const T& value) {
    return then_published(topic, std::string{key}, value);
  }
  /// No record beside those of the then_published before.
  scenario& then_published_nothing() {
    const auto& came = accepted();
    if (publishes_seen_ < came.publishes.size()) {
      const auto& r = came.publishes[publishes_seen_];
      detail::disagree(came.about, "no further record",
                       to_text(r.type->name, r.topic, r.key.value_or(key_)));
    }
    return *this;
  }

  /// When the state wants to be woken; nothing: never.
  scenario& then_deadline(std::optional<timestamp> expected) {
    require_deadline("the deadline", expected, next_deadline<machine>());
    return *this;
  }
  scenario& then_event_deadline(std::optional<timestamp> expected) {
    require_deadline("the deadline in event time", expected, next_deadline<in_events>());
    return *this;
  }
  /// It is the time of the deadline, which the aggregate now decides.
  scenario& when_deadline() {
    const auto comes = next_deadline<machine>();
    if (!comes) throw scenario_failed{"the aggregate has no deadline"};
    now_ = std::max(now_, *comes);
    return when(deadline_passed{*comes});
  }
  /// Event time has come so far, by events of this aggregate or of others.
  scenario& when_event_deadline() {
    const auto comes = next_deadline<in_events>();
    if (!comes) throw scenario_failed{"the aggregate has no deadline in event time"};
    event_time_ = std::max(event_time_, *comes);
    return when(event_deadline_passed{*comes, event_time_});
  }

  /// The key of whose data it is (the aggregate's, or this one) is deleted.
  scenario& erase_subject(std::string_view subject = {}) {
    if (auto gone = keys_->erase(subject.empty() ? subject_of_all() : subject); !gone)
      throw scenario_failed{gone.error().text()};
    if (!kept_.empty()) state_ = opened(*codec<A>::decode(kept_));
    return *this;
  }

  /// A tombstone was the last that has happened: its state is A{}, its version goes on counting.
  scenario& then_gone() {
    if (gone_) return *this;
    detail::disagree("the aggregate", "it to be gone",
                     version_ == 0 ? "one that has never been" : shown(state_));
  }

  /// `holds(state)`: what must be true of the state now.
  template <class Predicate>
  scenario& then_state(Predicate&& holds) {
    if (!holds(state_)) throw scenario_failed{"the state is not as expected: " + shown(state_)};
    return *this;
  }

  [[nodiscard]] const A& state() const { return state_; }
  [[nodiscard]] std::uint64_t version() const { return version_; }
  /// The latest that an event has said, its own or others'; min_time: none has.
  [[nodiscard]] timestamp event_time() const { return event_time_; }

 private:
  static constexpr auto machine = kappa::detail::deadline_clock::machine;
  static constexpr auto in_events = kappa::detail::deadline_clock::events;

  struct outcome {
    std::string about;
    std::vector<event> events{};
    std::optional<rejection> rejected{};
    std::optional<bytes> reply{};
    std::vector<outgoing_command> sends{};
    std::vector<outgoing_record> publishes{};
  };

  static std::string to_text(std::string_view what, std::string_view topic, bytes_view key) {
    return fmt::format("{} to {} under {}", what, topic, printable(key));
  }
  template <class T>
  scenario& require_published(std::string_view topic, const bytes& key, const T& value) {
    const auto& came = accepted();
    const auto expected = to_text(shown(value), topic, key);
    if (publishes_seen_ == came.publishes.size())
      detail::disagree(came.about, expected, "no record");
    const auto& r = came.publishes[publishes_seen_++];
    const auto& own = r.key.value_or(key_);
    if (r.type->name != codec<T>::schema().name)
      detail::disagree(came.about, expected, to_text(r.type->name, r.topic, own));
    require(check_stored<T>(r.value));
    const auto read = opened(*codec<T>::decode(r.value));
    if (!same(r.value, read, value) || own != key || r.topic != topic)
      detail::disagree(came.about, expected, to_text(shown(read), r.topic, own));
    return *this;
  }

  bytes_view subject_of_all() const { return key_.empty() ? bytes_view{"the key"} : key_; }

  static void require(const result<void>& done) {
    if (!done) throw scenario_failed{done.error().text()};
  }

  template <class T>
  T opened(T v) const {
    require(kappa::detail::open_personal(v, keys_.get()));
    return v;
  }
  /// As it is after it was stored.
  template <class T>
  T stored(T v) const {
    require(kappa::detail::seal_personal(v, subject_of_all(), keys_.get()));
    return detail::stored(v);
  }
  template <class... T>
  std::variant<T...> stored(const std::variant<T...>& v) const {
    return std::visit([this](const auto& one) { return std::variant<T...>{stored(one)}; }, v);
  }
  template <class C>
  static bool same(bytes_view body, const C& read, const C& expected) {
    if constexpr (has_personal<C> && std::equality_comparable<C>) {
      return read == expected;
    } else {
      return body == encoded(expected);
    }
  }

  template <class T>
  void make_readable(T& v) const {
    require(kappa::detail::seal_personal(v, subject_of_all(), keys_.get()));
    require(kappa::detail::show_personal(v, keys_.get()));
  }
  template <class... T>
  void make_readable(std::variant<T...>& v) const {
    std::visit([this](auto& one) { make_readable(one); }, v);
  }
  template <class T>
  void make_readable(std::vector<T>& all) const {
    for (auto& one : all) make_readable(one);
  }
  template <class T>
  std::string shown(T v) const {
    make_readable(v);
    return detail::shown(v);
  }

  static bool apply(A& to, const event& e, const apply_context& ctx) {
    return std::visit([&](const auto& one) { return kappa::detail::call_apply(to, one, ctx); }, e);
  }

  template <kappa::detail::deadline_clock Clock>
  [[nodiscard]] std::optional<timestamp> next_deadline() const {
    if (gone_ || version_ == 0) return std::nullopt;
    return kappa::detail::deadline_of<Clock>(state_);
  }
  static void require_deadline(std::string_view about, std::optional<timestamp> expected,
                               std::optional<timestamp> comes) {
    const auto text = [](const std::optional<timestamp>& t) {
      return t ? format_time(*t) : std::string{"none"};
    };
    if (comes != expected) detail::disagree(about, text(expected), text(comes));
  }

  template <class E>
  [[nodiscard]] timestamp time_of(const E& e) const {
    if constexpr (has_event_time<E>) return event_traits<E>::time(e);
    return now_;
  }

  void happened(const event& e, const apply_context& ctx) {
    history_.push_back({stored(e), ctx.version, ctx.time, key_});
    A now = kept_.empty() ? A{} : *codec<A>::decode(kept_);
    gone_ = apply(now, history_.back().what, ctx);
    // As after a restart from a snapshot, and as after one without.
    const auto kept = encoded(stored(now));
    A anew{};
    for (const auto& h : history_) (void)apply(anew, h.what, {h.key, h.version, h.time});
    if (encoded(anew) != kept) {
      detail::disagree("the state made anew from its events (is apply deterministic?)", shown(now),
                       shown(anew));
    }
    kept_ = kept;
    state_ = opened(*codec<A>::decode(kept));
    (void)next_deadline<machine>();  // they must not throw
    (void)next_deadline<in_events>();
  }

  [[nodiscard]] const outcome& last() const {
    if (!outcome_) throw scenario_failed{"a \"then\" without a \"when\" before"};
    return *outcome_;
  }
  [[nodiscard]] const outcome& accepted() const {
    const auto& o = last();
    if (o.rejected)
      detail::disagree(o.about, "it to be accepted", "a rejection: " + o.rejected->reason);
    return o;
  }
  [[nodiscard]] const rejection& rejected(std::string_view expected) const {
    const auto& o = last();
    if (!o.rejected) detail::disagree(o.about, expected, shown(o.events));
    return *o.rejected;
  }

  struct past {
    event what;
    std::uint64_t version;
    timestamp time;
    bytes key;
  };
  A state_{};
  bytes kept_;  // as it is stored; empty: nothing has happened
  std::uint64_t version_ = 0;
  bool gone_ = false;
  timestamp now_ = first_moment;
  timestamp event_time_ = min_time;
  bytes key_;
  std::vector<past> history_;
  std::optional<outcome> outcome_;
  std::size_t sends_seen_ = 0;  // of the outcome
  std::size_t publishes_seen_ = 0;
  std::shared_ptr<key_ring> keys_ =
      std::make_shared<key_ring>(std::make_shared<memory_key_store>());
};

/// An aggregate to which this has happened: events, former ones too.
template <class A, class... E>
[[nodiscard]] scenario<A> given(const E&... happened) {
  scenario<A> s;
  (s.has_happened(happened), ...);
  return s;
}

}  // namespace kappa::testing
