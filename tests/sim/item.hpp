// The one event of the simulated apps, the one state, and their user code: pure functions, which
// the app runs as its operators and the model as its own.
//
// Threading: plain values.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "kappa/core/codec.hpp"

namespace kappa::sim {

struct item {
  std::string key;
  timestamp at;
  std::int64_t id = 0;
  std::int64_t value = 0;
  std::string pad;
};

struct totals {
  std::int64_t count = 0;
  std::int64_t sum = 0;
  std::int64_t last_id = 0;
  friend bool operator==(const totals&, const totals&) = default;
};

// Values that make user code fail, each elsewhere.
inline constexpr std::int64_t bad_for_validate = 5000;
inline constexpr std::int64_t bad_for_map = 666;
inline constexpr std::int64_t bad_for_state = 667;
inline constexpr std::int64_t too_large_for_topics = 668;
inline constexpr std::size_t max_record_bytes = 2048;  // of the topics that the app writes

namespace user {

inline bool valid(const item& i) { return i.value != bad_for_validate; }
inline bool kept(const item& i) { return i.id % 5 != 0; }
inline item mapped(const item& i) {
  if (i.value == bad_for_map) throw std::runtime_error{"map"};
  auto out = i;
  if (i.value == too_large_for_topics) out.pad.assign(2 * max_record_bytes, 'x');
  return out;
}
inline std::vector<item> split(const item& i) {
  if (i.id % 7 == 0) return {};
  auto other = i;
  other.value = -i.value;
  return {i, other};
}
/// Fails after it has changed the state.
inline void add(totals& t, const item& i) {
  ++t.count;
  t.sum += i.value;
  t.last_id = i.id;
  if (i.value == bad_for_state) throw std::runtime_error{"state"};
}
inline item result_of(const std::string& key, timestamp at, const totals& t) {
  return {key, at, t.last_id, t.sum, {}};
}
inline std::optional<item> processed(totals& t, const item& i) {
  add(t, i);
  if (t.count % 3 == 0) return std::nullopt;
  return result_of(i.key, i.at, t);
}
inline item careful(const item& i) {
  if (i.value % 11 == 3) throw std::runtime_error{"careful"};
  return i;
}
/// The second key: coarser than the first.
inline std::string group(const item& i) {
  return "g" + (i.key.empty() ? std::string{} : i.key.substr(i.key.size() - 1));
}

}  // namespace user
}  // namespace kappa::sim

template <>
struct kappa::codec<kappa::sim::item> {
  static void encode(const sim::item& v, bytes& out) {
    byte_writer{out}
        .put_bytes(v.key)
        .put(std::int64_t{v.at.time_since_epoch().count()})
        .put(v.id)
        .put(v.value)
        .put_bytes(v.pad);
  }
  static result<sim::item> decode(bytes_view in) {
    byte_reader r{in};
    sim::item v;
    v.key = bytes{r.get_bytes()};
    v.at = timestamp{milliseconds{r.get<std::int64_t>()}};
    v.id = r.get<std::int64_t>();
    v.value = r.get<std::int64_t>();
    v.pad = bytes{r.get_bytes()};
    if (!r.done()) return fail(errc::decode, "item", "malformed");
    return v;
  }
  static schema_info schema() { return {"item", 0, 21, "item", nullptr}; }
};

template <>
struct kappa::event_traits<kappa::sim::item> {
  static timestamp time(const sim::item& v) { return v.at; }
  static void key(const sim::item& v, bytes& out) { out += v.key; }
};

template <>
struct kappa::codec<kappa::sim::totals> {
  static void encode(const sim::totals& v, bytes& out) {
    byte_writer{out}.put(v.count).put(v.sum).put(v.last_id);
  }
  static result<sim::totals> decode(bytes_view in) {
    byte_reader r{in};
    sim::totals v;
    v.count = r.get<std::int64_t>();
    v.sum = r.get<std::int64_t>();
    v.last_id = r.get<std::int64_t>();
    if (!r.done()) return fail(errc::decode, "totals", "malformed");
    return v;
  }
  static schema_info schema() { return {"totals", 0, 22, "totals", nullptr}; }
};
