#include "kafka/messages.hpp"

#include <array>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "log/wire_header.hpp"

namespace kappa::kafka {
namespace {

using detail::padded8;
using detail::wire_header_head;
using detail::wire_record_head;

std::optional<bytes_view> key_of(const rd_kafka_message_t& m) {
  if (m.key == nullptr) return std::nullopt;
  return bytes_view{static_cast<const char*>(m.key), m.key_len};
}
std::optional<bytes_view> value_of(const rd_kafka_message_t& m) {
  if (m.payload == nullptr) return std::nullopt;
  return bytes_view{static_cast<const char*>(m.payload), m.len};
}

// Null: none. Asked once for each message: one without headers is parsed anew each time, which
// takes librdkafka longer than all else that is done with it here.
const rd_kafka_headers_t* headers_of(const rd_kafka_message_t& m) {
  rd_kafka_headers_t* headers = nullptr;
  return rd_kafka_message_headers(&m, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR ? headers : nullptr;
}

// Calls f(name, value) for each header.
template <class F>
void for_each_header(const rd_kafka_headers_t* headers, F&& f) {
  if (headers == nullptr) return;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    f(bytes_view{name}, bytes_view{static_cast<const char*>(value), value == nullptr ? 0 : size});
  }
}

std::int64_t time_of(bytes_view header) {
  std::int64_t ms = 0;
  std::memcpy(&ms, header.data(), sizeof ms);
  return ms;
}

bool is_time(bytes_view name, bytes_view value) {
  return name == time_header && value.size() == sizeof(std::int64_t);
}

std::size_t bytes_of(const rd_kafka_headers_t* headers) {
  std::size_t n = 0;
  for_each_header(headers, [&](bytes_view name, bytes_view value) {
    if (!is_time(name, value)) n += sizeof(wire_header_head) + name.size() + value.size();
  });
  return n;
}

char* put(char* at, bytes_view what) {
  if (!what.empty()) std::memcpy(at, what.data(), what.size());
  return at + what.size();
}

// Writes the message at `at`, which has room for it, and gives where it ends.
char* write(char* at, const incoming& in, std::uint32_t delta) {
  const auto& m = *in.of;
  const auto key = key_of(m);
  const auto value = value_of(m);
  wire_record_head head;
  head.size = static_cast<std::uint32_t>(in.bytes);
  head.offset_delta = delta;
  rd_kafka_timestamp_type_t type{};
  head.time_ms = rd_kafka_message_timestamp(&m, &type);
  head.value_size = value ? static_cast<std::int32_t>(value->size()) : -1;
  head.key_size = key ? static_cast<std::int32_t>(key->size()) : -1;
  head.headers_size = static_cast<std::uint32_t>(in.header_bytes);
  char* const end = at + head.size;
  char* const begin = at;
  at += sizeof head;
  if (value) {
    char* const padded = at + padded8(value->size());
    at = put(at, *value);
    std::memset(at, 0, static_cast<std::size_t>(padded - at));
    at = padded;
  }
  if (key) at = put(at, *key);
  for_each_header(in.headers, [&](bytes_view name, bytes_view content) {
    if (is_time(name, content)) {
      head.time_ms = time_of(content);
      return;
    }
    const wire_header_head h{static_cast<std::uint16_t>(name.size()), 0,
                             static_cast<std::uint32_t>(content.size())};
    at = put(at, {reinterpret_cast<const char*>(&h), sizeof h});
    at = put(put(at, name), content);
  });
  std::memset(at, 0, static_cast<std::size_t>(end - at));
  std::memcpy(begin, &head, sizeof head);
  return end;
}

}  // namespace

incoming::incoming(message m) : of{std::move(m)} {
  if (of->err != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  headers = headers_of(*of);
  header_bytes = bytes_of(headers);
  bytes = detail::record_bytes(key_of(*of), value_of(*of), header_bytes);
}

result<read_batch> to_batch(std::span<const incoming* const> messages, detail::buffer_pool& buffers,
                            offset from, offset next) {
  std::size_t total = 0;
  for (const auto* m : messages) {
    if (m->bytes > std::numeric_limits<std::int32_t>::max()) {
      return fail(errc::too_large,
                  fmt::format("{}[{}]@{}", rd_kafka_topic_name(m->of->rkt), m->of->partition,
                              m->of->offset),
                  "the record is over 2 GiB");
    }
    total += m->bytes;
  }
  auto buffer = buffers.take(total);
  // Offset deltas are 32 bits: where a gap is wider, another frame begins.
  std::vector<read_batch::frame> frames;
  char* at = buffer.get();
  for (const auto* m : messages) {
    const auto at_offset = m->of->offset;
    if (frames.empty() ||
        at_offset - frames.back().base.value > std::numeric_limits<std::uint32_t>::max())
      frames.push_back({at, at, offset{at_offset}});
    at = write(at, *m, static_cast<std::uint32_t>(at_offset - frames.back().base.value));
    frames.back().end = at;
  }
  return read_batch{std::move(buffer), std::move(frames), from, next};
}

rd_kafka_resp_err_t produce(rd_kafka_t* producer, rd_kafka_topic_t* to, std::int32_t partition,
                            const record_view& r, void* opaque) {
  auto ms = r.time.time_since_epoch().count();
  const bool carried = ms > 0;
  rd_kafka_headers_t* headers = nullptr;
  if (!r.headers.empty() || !carried) {
    headers = rd_kafka_headers_new(4);
    for (const auto& h : r.headers) {
      (void)rd_kafka_header_add(headers, h.name.data(), static_cast<ssize_t>(h.name.size()),
                                h.value.data(), static_cast<ssize_t>(h.value.size()));
    }
    if (!carried) {
      (void)rd_kafka_header_add(headers, time_header.data(),
                                static_cast<ssize_t>(time_header.size()), &ms, sizeof ms);
      ms = 1;
    }
  }
  // librdkafka tells null from empty by the pointer.
  static const char nothing = 0;
  const auto* key = r.key ? (r.key->empty() ? &nothing : r.key->data()) : nullptr;
  const auto* value = r.value ? (r.value->empty() ? &nothing : r.value->data()) : nullptr;
  const std::size_t key_size = r.key ? r.key->size() : 0;
  const std::size_t value_size = r.value ? r.value->size() : 0;
  // The array form: the macros of the other are no standard C++.
  std::array<rd_kafka_vu_t, 7> parts{};
  parts[0].vtype = RD_KAFKA_VTYPE_RKT;
  parts[0].u.rkt = to;
  parts[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  parts[1].u.i32 = partition;
  parts[2].vtype = RD_KAFKA_VTYPE_VALUE;
  parts[2].u.mem = {const_cast<char*>(value), value_size};
  parts[3].vtype = RD_KAFKA_VTYPE_KEY;
  parts[3].u.mem = {const_cast<char*>(key), key_size};
  parts[4].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  parts[4].u.i64 = ms;
  parts[5].vtype = RD_KAFKA_VTYPE_OPAQUE;
  parts[5].u.ptr = opaque;
  std::size_t count = 6;
  if (headers != nullptr) {
    parts[count].vtype = RD_KAFKA_VTYPE_HEADERS;
    parts[count++].u.headers = headers;
  }
  const fault f{rd_kafka_produceva(producer, parts.data(), count)};
  const auto code = f ? rd_kafka_error_code(f.get()) : RD_KAFKA_RESP_ERR_NO_ERROR;
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR && headers != nullptr) rd_kafka_headers_destroy(headers);
  return code;
}

result<offset> delivered_at(const client& of, const rd_kafka_message_t& m) {
  const auto where = fmt::format("{}[{}]", rd_kafka_topic_name(m.rkt), m.partition);
  if (m.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return fail(of.error_of(m.err, where, {},
                            fmt::format("Write on topic {}", rd_kafka_topic_name(m.rkt))));
  }
  if (m.offset < 0) {
    return fail(errc::indefinite, where,
                "the brokers never said where a record is; it may not be there");
  }
  return offset{m.offset};
}

}  // namespace kappa::kafka
