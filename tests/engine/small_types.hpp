// Small events and states for the engine's tests, with codecs by hand.
#pragma once

#include <string>

#include "kappa/core/codec.hpp"

namespace engine_test {

struct reading {
  std::string place;
  kappa::timestamp at;
  std::int64_t value = 0;
  friend bool operator==(const reading&, const reading&) = default;
};

struct totals {
  std::int64_t count = 0;
  std::int64_t sum = 0;
  void add(std::int64_t v) {
    ++count;
    sum += v;
  }
  friend bool operator==(const totals&, const totals&) = default;
};

struct keyed_totals {
  std::string key;
  totals value;
  friend bool operator==(const keyed_totals&, const keyed_totals&) = default;
};

}  // namespace engine_test

template <>
struct kappa::codec<engine_test::reading> {
  static void encode(const engine_test::reading& v, bytes& out) {
    byte_writer{out}
        .put_bytes(v.place)
        .put(std::int64_t{v.at.time_since_epoch().count()})
        .put(v.value);
  }
  static result<engine_test::reading> decode(bytes_view in) {
    byte_reader r{in};
    engine_test::reading v;
    v.place = bytes{r.get_bytes()};
    v.at = timestamp{milliseconds{r.get<std::int64_t>()}};
    v.value = r.get<std::int64_t>();
    if (!r.done()) return fail(errc::decode, "reading", "malformed");
    return v;
  }
  static schema_info schema() { return {"reading", 0, 11, "reading", nullptr}; }
};

template <>
struct kappa::event_traits<engine_test::reading> {
  static timestamp time(const engine_test::reading& v) { return v.at; }
  static void key(const engine_test::reading& v, bytes& out) { out += v.place; }
};

template <>
struct kappa::codec<engine_test::totals> {
  static void encode(const engine_test::totals& v, bytes& out) {
    byte_writer{out}.put(v.count).put(v.sum);
  }
  static result<engine_test::totals> decode(bytes_view in) {
    byte_reader r{in};
    engine_test::totals v;
    v.count = r.get<std::int64_t>();
    v.sum = r.get<std::int64_t>();
    if (!r.done()) return fail(errc::decode, "totals", "malformed");
    return v;
  }
  static schema_info schema() { return {"totals", 0, 12, "totals", nullptr}; }
};

template <>
struct kappa::codec<engine_test::keyed_totals> {
  static void encode(const engine_test::keyed_totals& v, bytes& out) {
    byte_writer{out}.put_bytes(v.key).put(v.value.count).put(v.value.sum);
  }
  static result<engine_test::keyed_totals> decode(bytes_view in) {
    byte_reader r{in};
    engine_test::keyed_totals v;
    v.key = bytes{r.get_bytes()};
    v.value.count = r.get<std::int64_t>();
    v.value.sum = r.get<std::int64_t>();
    if (!r.done()) return fail(errc::decode, "keyed totals", "malformed");
    return v;
  }
  static schema_info schema() { return {"keyed-totals", 0, 13, "keyed-totals", nullptr}; }
};
