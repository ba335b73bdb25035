// What an aggregate answers to a command: the events that follow from it (none, one, several), or
// why it is refused.
//
//   auto decide(const withdraw& c) const -> kappa::decision<withdrawn, fee_charged> {
//     if (c.amount_cents > balance_cents)
//       return kappa::reject(insufficient_funds{.missing_cents = c.amount_cents - balance_cents});
//     return {withdrawn{c.amount_cents}, fee_charged{fee}};
//   }
//
// Threading: plain values.
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "kappa/aggregate/outgoing_command.hpp"
#include "kappa/aggregate/published.hpp"
#include "kappa/core/bytes.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/error.hpp"

namespace kappa {

/// Why a command was refused: in words, or as a value of a type that programs can look at.
struct rejection {
  std::string reason;  // for people
  std::string type{};  // the name of the value's schema; empty: words only
  bytes value{};       // encoded

  /// Nothing: it is of another type. errc::decode: it is damaged.
  template <encodable T>
  [[nodiscard]] result<std::optional<T>> as() const {
    if (type.empty() || type != codec<T>::schema().name) return std::optional<T>{};
    auto read = codec<T>::decode(value);
    if (!read) return fail(std::move(read.error()));
    return std::optional<T>{std::move(*read)};
  }
  friend bool operator==(const rejection&, const rejection&) = default;
};

[[nodiscard]] inline rejection reject(std::string reason) { return {std::move(reason)}; }

/// A reason with a type: a struct of the schema. In words it is `reason`, else the type's name.
template <encodable T>
  requires(!std::convertible_to<T, std::string>)
[[nodiscard]] rejection reject(const T& value, std::string reason = {}) {
  auto type = codec<T>::schema().name;
  if (reason.empty()) reason = type.substr(type.rfind(':') + 1);
  return {std::move(reason), std::move(type), encoded(value)};
}

/// No events: the command is accepted, and there is nothing to be done.
struct nothing_to_do {};

template <class... Events>
class decision {
  template <class E>
  static constexpr bool is_event = (std::same_as<std::remove_cvref_t<E>, Events> || ...);

 public:
  using event = std::variant<Events...>;

  decision(nothing_to_do) {}
  decision(rejection why) : rejection_{std::move(why)} {}
  template <class E>
    requires is_event<E> decision(E&& only) { add(std::forward<E>(only)); }
  template <class First, class Second, class... More>
    requires(is_event<First>&& is_event<Second> && (is_event<More> && ...))
  decision(First&& first, Second&& second, More&&... more) {
    events_.reserve(2 + sizeof...(More));
    add(std::forward<First>(first)).add(std::forward<Second>(second));
    (add(std::forward<More>(more)), ...);
  }

  /// One more, after those that are there. Of a rejection there are none: it stays one.
  template <class E>
  requires is_event<E> decision& add(E&& e) {
    if (!rejection_) events_.emplace_back(std::forward<E>(e));
    return *this;
  }
  /// What whoever asked is given beside the version, once the events are durable.
  template <encodable T>
  decision& reply(const T& payload) {
    reply_ = encoded(payload);
    return *this;
  }

  /// Sends a command to the aggregate of this key whose protocol has it (outgoing_command.hpp).
  /// Only beside an event: the aggregate must know what it has sent. What the command comes to is
  /// decided by the sender, if it has a decide for kappa::command_result.
  template <encodable K, encodable C>
  decision& send(const K& key, const C& command, send_options options = {}) {
    if (!rejection_) sends_.push_back(make_outgoing(key, command, std::move(options)));
    return *this;
  }
  template <encodable C>
  decision& send(const char* key, const C& command, send_options options = {}) {
    return send(std::string{key}, command, std::move(options));
  }

  /// Publishes a record to a topic that the app declares for the aggregate (published.hpp), under
  /// the aggregate's key or another one. Only beside an event, as `send`. Its time is the value's
  /// own (event_traits), else that of the decision.
  template <encodable T>
  decision& publish(std::string topic, const T& value) {
    if (!rejection_) publishes_.push_back(record_to(std::move(topic), value));
    return *this;
  }
  template <encodable K, encodable T>
  decision& publish(std::string topic, const K& key, const T& value) {
    if (!rejection_) publishes_.push_back(record_to(std::move(topic), key, value));
    return *this;
  }
  template <encodable T>
  decision& publish(std::string topic, const char* key, const T& value) {
    return publish(std::move(topic), std::string{key}, value);
  }

  [[nodiscard]] bool rejected() const { return rejection_.has_value(); }
  /// Must be rejected.
  [[nodiscard]] const rejection& why() const { return *rejection_; }
  [[nodiscard]] const std::vector<event>& events() const { return events_; }
  [[nodiscard]] const std::optional<bytes>& reply_bytes() const { return reply_; }
  [[nodiscard]] const std::vector<outgoing_command>& sends() const { return sends_; }
  [[nodiscard]] const std::vector<outgoing_record>& publishes() const { return publishes_; }

 private:
  std::vector<event> events_;
  std::optional<rejection> rejection_;
  std::optional<bytes> reply_;
  std::vector<outgoing_command> sends_;
  std::vector<outgoing_record> publishes_;
};

namespace detail {
template <class T>
inline constexpr bool is_decision = false;
template <class... E>
inline constexpr bool is_decision<decision<E...>> = true;
}  // namespace detail

}  // namespace kappa
