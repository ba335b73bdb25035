#include "log/embedded_layout.hpp"

#include <sys/random.h>

#include <random>

#include <fmt/format.h>

namespace kappa::detail {

namespace {

template <class F>
bytes sealed(bytes_view table, bytes_view key, F&& write) {
  bytes content;
  byte_writer w{content};
  write(w);
  return seal(table, key, content);
}

std::uint64_t sum(bytes_view table, bytes_view key, bytes_view content) {
  return checksum(content, checksum(key, checksum(table)));
}

bytes big_endian(std::uint64_t v) {
  const auto big = __builtin_bswap64(v);
  bytes out(8, '\0');
  std::memcpy(out.data(), &big, 8);
  return out;
}

std::int64_t raw(timestamp t) { return t.time_since_epoch().count(); }

}  // namespace

bytes seal(bytes_view table, bytes_view key, bytes_view content) {
  bytes out;
  out.reserve(8 + content.size());
  byte_writer{out}.put(sum(table, key, content)).put_raw(content);
  return out;
}

std::optional<bytes_view> unseal(bytes_view table, bytes_view key, bytes_view stored) {
  byte_reader r{stored};
  const auto stated = r.get<std::uint64_t>();
  if (!r.ok() || stated != sum(table, key, r.rest())) return std::nullopt;
  return r.rest();
}

std::string frames_name(std::uint32_t topic, partition p) {
  return fmt::format("f/{}/{}", topic, p.value);
}

bytes offset_key(offset at) {
  bytes out;
  append_ordered(out, at.value);
  return out;
}

bytes partition_key(partition_id id) { return big_endian(id); }

bytes time_key(partition_id id, timestamp t) {
  auto out = big_endian(id);
  append_ordered(out, std::int64_t{raw(t)});
  return out;
}

bytes producer_key(partition_id id, const std::string& producer) {
  return big_endian(id) + producer;
}

bytes encode(const stored_topic& topic) {
  const auto& c = topic.config;
  return sealed(table::topics, c.name, [&](byte_writer& w) {
    w.put(topic.number).put(c.partitions).put_bytes(c.owner);
    w.put(std::uint8_t{c.retention_time.has_value()});
    w.put(std::int64_t{c.retention_time.value_or(milliseconds{0}).count()});
    w.put(std::uint8_t{c.retention_bytes.has_value()});
    w.put(std::uint64_t{c.retention_bytes.value_or(0)});
    w.put(std::uint64_t{c.max_record_bytes}).put(std::uint8_t{c.compacted});
  });
}

std::optional<stored_topic> decode_topic(const std::string& name, bytes_view stored) {
  if (!unseal(table::topics, name, stored)) return std::nullopt;
  return guess_topic(name, stored);
}

std::optional<stored_topic> guess_topic(const std::string& name, bytes_view stored) {
  byte_reader r{stored};
  r.get<std::uint64_t>();  // the checksum
  stored_topic t;
  t.number = r.get<std::uint32_t>();
  t.config.name = name;
  t.config.partitions = r.get<std::int32_t>();
  t.config.owner = bytes{r.get_bytes()};
  const bool has_time = r.get<std::uint8_t>() != 0;
  const milliseconds time{r.get<std::int64_t>()};
  if (has_time) t.config.retention_time = time;
  const bool has_bytes = r.get<std::uint8_t>() != 0;
  const auto size = r.get<std::uint64_t>();
  if (has_bytes) t.config.retention_bytes = size;
  t.config.max_record_bytes = r.get<std::uint64_t>();
  t.config.compacted = r.get<std::uint8_t>() != 0;
  if (!r.done()) return std::nullopt;
  return t;
}

bytes encode(bytes_view key, const partition_meta& m) {
  return sealed(table::partitions, key, [&](byte_writer& w) {
    w.put(m.earliest.value).put(m.latest.value).put(std::int64_t{raw(m.max_time)});
    w.put(m.size_bytes).put(m.since_index_bytes);
  });
}

std::optional<partition_meta> decode_partition(bytes_view key, bytes_view stored) {
  const auto content = unseal(table::partitions, key, stored);
  if (!content) return std::nullopt;
  byte_reader r{*content};
  partition_meta m;
  m.earliest = offset{r.get<std::int64_t>()};
  m.latest = offset{r.get<std::int64_t>()};
  m.max_time = timestamp{milliseconds{r.get<std::int64_t>()}};
  m.size_bytes = r.get<std::uint64_t>();
  m.since_index_bytes = r.get<std::uint64_t>();
  if (!r.done()) return std::nullopt;
  return m;
}

bytes encode(bytes_view key, const committed_position& p) {
  return sealed(table::positions, key,
                [&](byte_writer& w) { w.put(p.next.value).put_bytes(p.metadata); });
}

std::optional<committed_position> decode_position(bytes_view key, bytes_view stored) {
  const auto content = unseal(table::positions, key, stored);
  if (!content) return std::nullopt;
  byte_reader r{*content};
  committed_position p;
  p.next = offset{r.get<std::int64_t>()};
  p.metadata = bytes{r.get_bytes()};
  if (!r.done()) return std::nullopt;
  return p;
}

bytes encode(bytes_view key, const stored_producer& p) {
  return sealed(table::producers, key,
                [&](byte_writer& w) { w.put(p.sequence).put(p.base.value); });
}

std::optional<stored_producer> decode_producer(bytes_view key, bytes_view stored) {
  const auto content = unseal(table::producers, key, stored);
  if (!content) return std::nullopt;
  byte_reader r{*content};
  stored_producer p;
  p.sequence = r.get<std::uint64_t>();
  p.base = offset{r.get<std::int64_t>()};
  if (!r.done()) return std::nullopt;
  return p;
}

bytes encode(bytes_view key, const stored_app& app) {
  return sealed(table::apps, key,
                [&](byte_writer& w) { w.put(app.term.value).put_bytes(app.instance); });
}

std::optional<stored_app> decode_app(bytes_view key, bytes_view stored) {
  const auto content = unseal(table::apps, key, stored);
  if (!content) return std::nullopt;
  byte_reader r{*content};
  stored_app app;
  app.term = writer_term{r.get<std::uint64_t>()};
  app.instance = bytes{r.get_bytes()};
  if (!r.done()) return std::nullopt;
  return app;
}

bytes encode_time(bytes_view key, offset first) {
  return sealed(table::times, key, [&](byte_writer& w) { w.put(first.value); });
}

std::optional<offset> decode_time(bytes_view key, bytes_view stored) {
  const auto content = unseal(table::times, key, stored);
  if (!content) return std::nullopt;
  byte_reader r{*content};
  const offset first{r.get<std::int64_t>()};
  if (!r.done()) return std::nullopt;
  return first;
}

std::string make_uuid() {
  std::uint8_t b[16];
  if (::getrandom(b, sizeof b, 0) != static_cast<ssize_t>(sizeof b)) {
    std::random_device device;
    for (auto& byte : b) byte = static_cast<std::uint8_t>(device());
  }
  b[6] = static_cast<std::uint8_t>((b[6] & 0x0f) | 0x40);
  b[8] = static_cast<std::uint8_t>((b[8] & 0x3f) | 0x80);
  std::string out;
  for (std::size_t i = 0; i < sizeof b; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out.push_back('-');
    out += fmt::format("{:02x}", b[i]);
  }
  return out;
}

}  // namespace kappa::detail
