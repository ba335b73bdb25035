// Keyed and windowed results, and the windows themselves.
//
// Threading: plain values. Units: event time, milliseconds.
#pragma once

#include <concepts>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "kappa/core/codec.hpp"
#include "kappa/core/time.hpp"

namespace kappa {

/// A half-open span of event time: [start, end).
struct window {
  timestamp start;
  timestamp end;
  friend auto operator<=>(const window&, const window&) = default;
  friend bool operator==(const window&, const window&) = default;
};

/// Windows of one size that touch and do not overlap, aligned to 1970-01-01T00:00:00Z.
struct tumbling {
  milliseconds size;

  [[nodiscard]] window of(timestamp t) const {
    const auto n = size.count();
    timestamp start{milliseconds{t.time_since_epoch().count() / n * n}};
    if (start > t) start = saturating_add(start, -size);  // division truncates towards zero
    return {start, saturating_add(start, size)};
  }
};

/// Keep a closed window for ever.
inline constexpr milliseconds forever = milliseconds::max();

struct window_options {
  /// Grace: the window emits once, when the watermark is >= end + lateness. >= 0.
  milliseconds lateness{0};
  /// How long (event time) a closed window stays readable. >= 0, or `forever`.
  milliseconds keep = std::chrono::days{7};
  /// Topic for late records; empty: "<app>.<stage>.late".
  std::string late_to{};
};

/// A value with its key, as a keyed stage emits it.
template <class K, class V>
struct keyed {
  K key;
  V value;
  friend bool operator==(const keyed&, const keyed&) = default;
};

/// A window's value with its key, as a windowed stage emits it.
template <class K, class V>
struct windowed {
  K key;
  kappa::window window;
  V value;
  friend bool operator==(const windowed&, const windowed&) = default;
};

namespace detail {

/// `wrapper`: "keyed" or "windowed". The description: wrapper and size of the key's description on
/// a line, then the two descriptions.
[[nodiscard]] schema_info wrapped_schema(const char* wrapper, const schema_info& key,
                                         const schema_info& value);
/// Of the record keys of windowed results, in the same way.
[[nodiscard]] schema_info window_key_schema(const schema_info& key);

}  // namespace detail

/// How an element names itself in a topic: its record key, the key that places it, its value.
/// Plain values keep the key of the record that they were made from.
template <class T>
struct record_traits {
  using value_type = T;
  static constexpr bool has_own_key = false;
  static const T& value(const T& v) { return v; }
};

template <class K, class V>
struct record_traits<keyed<K, V>> {
  using value_type = V;
  static constexpr bool has_own_key = true;
  static const V& value(const keyed<K, V>& v) { return v.value; }
  static void key(const keyed<K, V>& v, bytes& out) { codec<K>::encode(v.key, out); }
  static schema_info key_schema() { return codec<K>::schema(); }
  static void partition_key(const keyed<K, V>& v, bytes& out) { codec<K>::encode(v.key, out); }
};

/// Key of a window's record: the key's bytes, then the window's start (8 bytes, ordered). It is
/// placed by the key alone, so all windows of a key are in one partition, in order.
template <class K, class V>
struct record_traits<windowed<K, V>> {
  using value_type = V;
  static constexpr bool has_own_key = true;
  static const V& value(const windowed<K, V>& v) { return v.value; }
  static void key(const windowed<K, V>& v, bytes& out) {
    codec<K>::encode(v.key, out);
    append_ordered(out, std::int64_t{v.window.start.time_since_epoch().count()});
  }
  static schema_info key_schema() { return detail::window_key_schema(codec<K>::schema()); }
  static void partition_key(const windowed<K, V>& v, bytes& out) { codec<K>::encode(v.key, out); }
};

/// Splits the record key of a windowed result into key bytes and window start.
struct windowed_record_key {
  bytes key;
  timestamp start;
};
[[nodiscard]] std::optional<windowed_record_key> split_windowed_key(bytes_view record_key);

/// The state key of (key, window start): ordered by key, then start.
[[nodiscard]] bytes window_state_key(bytes_view key, timestamp start);
[[nodiscard]] std::optional<windowed_record_key> split_window_state_key(bytes_view state_key);

/// Form between stages: u32 key size, key, value.
template <class K, class V>
struct codec<keyed<K, V>> {
  static void encode(const keyed<K, V>& v, bytes& out) {
    byte_writer{out}.put_bytes(encoded(v.key)).put_bytes(encoded(v.value));
  }
  static result<keyed<K, V>> decode(bytes_view in) {
    byte_reader r{in};
    const auto key = r.get_bytes();
    const bytes value{r.get_bytes()};  // a copy: Cap'n Proto wants it aligned
    if (!r.done()) return fail(errc::decode, "keyed", "malformed");
    auto k = codec<K>::decode(key);
    if (!k) return fail(k.error());
    auto v = codec<V>::decode(value);
    if (!v) return fail(v.error());
    return keyed<K, V>{std::move(*k), std::move(*v)};
  }
  static schema_info schema() {
    return detail::wrapped_schema("keyed", codec<K>::schema(), codec<V>::schema());
  }
};

/// Form between stages: u32 key size, key, i64 start, i64 end, value.
template <class K, class V>
struct codec<windowed<K, V>> {
  static void encode(const windowed<K, V>& v, bytes& out) {
    byte_writer{out}
        .put_bytes(encoded(v.key))
        .put(std::int64_t{v.window.start.time_since_epoch().count()})
        .put(std::int64_t{v.window.end.time_since_epoch().count()})
        .put_bytes(encoded(v.value));
  }
  static result<windowed<K, V>> decode(bytes_view in) {
    byte_reader r{in};
    const auto key = r.get_bytes();
    const timestamp start{milliseconds{r.get<std::int64_t>()}};
    const timestamp end{milliseconds{r.get<std::int64_t>()}};
    const bytes value{r.get_bytes()};  // a copy: Cap'n Proto wants it aligned
    if (!r.done()) return fail(errc::decode, "windowed", "malformed");
    auto k = codec<K>::decode(key);
    if (!k) return fail(k.error());
    auto v = codec<V>::decode(value);
    if (!v) return fail(v.error());
    return windowed<K, V>{std::move(*k), {start, end}, std::move(*v)};
  }
  static schema_info schema() {
    return detail::wrapped_schema("windowed", codec<K>::schema(), codec<V>::schema());
  }
};

}  // namespace kappa
