// Records that an aggregate publishes as part of its decisions: the topics, which the app declares,
// and the records themselves. A record is in the log with the decision's events, or not at all.
//
//   app.aggregate<account>("accounts",
//                          {.publishes =
//                          {kappa::published<large_withdrawal>("large-withdrawals")}});
//   …
//   return d.publish("large-withdrawals", large_withdrawal{c.amount_cents});
//
// Threading: plain values.
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "kappa/core/bytes.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/schema_info.hpp"
#include "kappa/core/time.hpp"
#include "kappa/log/envelope.hpp"
#include "kappa/testing/round_trip.hpp"

namespace kappa {

/// A topic to which an aggregate publishes: it belongs to the app, and one aggregate writes it.
struct published_topic {
  std::string topic;
  schema_info schema;                           // of the values
  std::optional<schema_info> key_schema;        // nothing: its keys are as the aggregate's
  result<void> (*check)(bytes_view) = nullptr;  // testing::check_stored of the values
};

/// T: the type of the values; K: that of the keys, where they are not as the aggregate's.
template <encodable T, class K = void>
[[nodiscard]] published_topic published(std::string topic) {
  std::optional<schema_info> keys;
  if constexpr (!std::is_void_v<K>) keys = codec<K>::schema();
  return {std::move(topic), codec<T>::schema(), std::move(keys), &testing::check_stored<T>};
}

struct outgoing_record {
  std::string topic;
  const schema_reference* type = nullptr;      // lives as long as the program
  bytes value;                                 // encoded
  std::optional<timestamp> time;               // nothing: when it was decided
  std::optional<bytes> key;                    // encoded; nothing: the aggregate's
  const schema_reference* key_type = nullptr;  // of a key of its own
};

template <encodable T>
[[nodiscard]] outgoing_record record_to(std::string topic, const T& value) {
  static const auto type = reference_to(codec<T>::schema());
  outgoing_record r{std::move(topic), &type, encoded(value), {}, {}};
  if constexpr (has_event_time<T>) r.time = event_traits<T>::time(value);
  return r;
}
template <encodable K, encodable T>
[[nodiscard]] outgoing_record record_to(std::string topic, const K& key, const T& value) {
  static const auto keys = reference_to(codec<K>::schema());
  auto r = record_to(std::move(topic), value);
  r.key = encoded(key);
  r.key_type = &keys;
  return r;
}

}  // namespace kappa
