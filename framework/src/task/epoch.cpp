#include "kappa/task/epoch.hpp"

#include "core/read_list.hpp"

namespace kappa {
namespace {

constexpr std::uint8_t epochs_version = 1;
constexpr std::uint8_t metadata_version = 3;
constexpr std::uint8_t metadata_without_rebuilds = 2;
constexpr std::uint8_t birth_type = 1;
constexpr std::uint8_t epoch_type = 2;

void put_optional(byte_writer& w, const std::optional<bytes>& b) {
  w.put(std::uint8_t{b.has_value()});
  if (b) w.put_bytes(*b);
}

std::optional<bytes> get_optional(byte_reader& r) {
  if (r.get<std::uint8_t>() == 0) return std::nullopt;
  return bytes{r.get_bytes()};
}

void put_timer(byte_writer& w, const fired_timer& f) {
  w.put(std::uint8_t{f.closing}).put_bytes(encode_timer(f.timer));
}

fired_timer get_timer(byte_reader& r) {
  fired_timer f;
  f.closing = r.get<std::uint8_t>() != 0;
  if (auto t = decode_timer(r.get_bytes())) {
    f.timer = std::move(*t);
  } else {
    r.fail();
  }
  return f;
}

void put_time(byte_writer& w, timestamp t) { w.put(std::int64_t{t.time_since_epoch().count()}); }
timestamp get_time(byte_reader& r) { return timestamp{milliseconds{r.get<std::int64_t>()}}; }

}  // namespace

bytes encode_metadata(const position_metadata& m) {
  bytes out;
  byte_writer w{out};
  // As before where there is nothing new to tell: a version of before may run in the same group.
  const bool rebuilds = m.rebuild_ordered != 0 || m.rebuild_done != 0;
  w.put(rebuilds ? metadata_version : metadata_without_rebuilds).put(m.epoch.value);
  put_optional(w, m.place);
  w.put(std::uint8_t{m.ended});
  if (rebuilds) w.put(m.rebuild_ordered).put(m.rebuild_done);
  return out;
}

std::optional<position_metadata> decode_metadata(bytes_view in) {
  byte_reader r{in};
  const auto version = r.get<std::uint8_t>();
  if (version != metadata_version && version != metadata_without_rebuilds) return std::nullopt;
  position_metadata m;
  m.epoch = epoch_number{r.get<std::uint64_t>()};
  m.place = get_optional(r);
  m.ended = r.get<std::uint8_t>() != 0;
  if (version == metadata_version) {
    m.rebuild_ordered = r.get<std::uint32_t>();
    m.rebuild_done = r.get<std::uint32_t>();
  }
  if (!r.done()) return std::nullopt;
  return m;
}

bytes encode_birth(const birth_record& b) {
  bytes out;
  byte_writer w{out};
  w.put(birth_type).put(epochs_version).put(b.fingerprint).put_bytes(b.log_id);
  w.put(static_cast<std::uint32_t>(b.starts.size()));
  for (std::size_t i = 0; i < b.starts.size(); ++i) w.put_bytes(b.inputs[i]).put(b.starts[i].value);
  return out;
}

bool is_birth(bytes_view in) {
  return !in.empty() && static_cast<std::uint8_t>(in[0]) == birth_type;
}

std::optional<birth_record> decode_birth(bytes_view in) {
  byte_reader r{in};
  if (r.get<std::uint8_t>() != birth_type || r.get<std::uint8_t>() != epochs_version)
    return std::nullopt;
  birth_record b;
  b.fingerprint = r.get<std::uint64_t>();
  b.log_id = bytes{r.get_bytes()};
  detail::read_list(r, [&] {
    b.inputs.emplace_back(r.get_bytes());
    b.starts.emplace_back(r.get<std::int64_t>());
  });
  if (!r.done()) return std::nullopt;
  return b;
}

bytes encode_epoch_record(const epoch_record& e) {
  bytes out;
  byte_writer w{out};
  w.put(epoch_type).put(epochs_version).put(e.number.value);
  put_time(w, e.clock);
  w.put_bytes(e.code_version);
  w.put(static_cast<std::uint32_t>(e.inputs.size()));
  for (const auto& b : e.inputs) w.put(b.from.value).put(b.to.value);
  w.put(static_cast<std::uint32_t>(e.idle.size()));
  for (const auto i : e.idle) w.put(i);
  w.put(static_cast<std::uint32_t>(e.ended.size()));
  for (const auto i : e.ended) w.put(i);
  w.put(std::uint8_t{e.advance.has_value()});
  if (e.advance) put_time(w, *e.advance);
  w.put(static_cast<std::uint32_t>(e.failed_records.size()));
  for (const auto& f : e.failed_records) w.put(f.input).put(f.offset.value).put_bytes(f.op);
  w.put(static_cast<std::uint32_t>(e.failed_timers.size()));
  for (const auto& f : e.failed_timers) put_timer(w, f);
  w.put(std::uint8_t{e.fired_up_to.has_value()});
  if (e.fired_up_to) put_timer(w, *e.fired_up_to);
  put_optional(w, e.place);
  return out;
}

std::optional<epoch_record> decode_epoch_record(bytes_view in) {
  byte_reader r{in};
  if (r.get<std::uint8_t>() != epoch_type || r.get<std::uint8_t>() != epochs_version)
    return std::nullopt;
  epoch_record e;
  e.number = epoch_number{r.get<std::uint64_t>()};
  e.clock = get_time(r);
  e.code_version = bytes{r.get_bytes()};
  detail::read_list(r, [&] {
    const offset from{r.get<std::int64_t>()};
    e.inputs.push_back({from, offset{r.get<std::int64_t>()}});
  });
  detail::read_list(r, [&] { e.idle.push_back(r.get<std::uint32_t>()); });
  detail::read_list(r, [&] { e.ended.push_back(r.get<std::uint32_t>()); });
  if (r.get<std::uint8_t>() != 0) e.advance = get_time(r);
  detail::read_list(r, [&] {
    epoch_record::failed_record f;
    f.input = r.get<std::uint32_t>();
    f.offset = offset{r.get<std::int64_t>()};
    f.op = bytes{r.get_bytes()};
    e.failed_records.push_back(std::move(f));
  });
  detail::read_list(r, [&] { e.failed_timers.push_back(get_timer(r)); });
  if (r.get<std::uint8_t>() != 0) e.fired_up_to = get_timer(r);
  e.place = get_optional(r);
  if (!r.done()) return std::nullopt;
  return e;
}

}  // namespace kappa
