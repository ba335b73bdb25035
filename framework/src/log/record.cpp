#include "kappa/log/record.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "log/wire_header.hpp"

namespace kappa {

namespace {

using detail::read_header_head;
using detail::wire_header_head;

constexpr std::size_t max_part_bytes = std::numeric_limits<std::int32_t>::max();

}  // namespace

std::string topic_partition::text() const {
  return topic + "[" + std::to_string(partition.value) + "]";
}

header_view headers_view::iterator::operator*() const {
  const auto head = read_header_head(rest_.data());
  return {rest_.substr(sizeof head, head.name_size),
          rest_.substr(sizeof head + head.name_size, head.value_size)};
}

headers_view::iterator& headers_view::iterator::operator++() {
  rest_.remove_prefix(read_header_head(rest_.data()).size());
  return *this;
}

std::optional<bytes_view> headers_view::find(bytes_view name) const {
  // Of most headers no more is looked at than how long they are.
  for (auto rest = raw_; !rest.empty();) {
    const auto head = read_header_head(rest.data());
    if (head.name_size == name.size() && rest.substr(sizeof head, name.size()) == name)
      return rest.substr(sizeof head + name.size(), head.value_size);
    rest.remove_prefix(head.size());
  }
  return std::nullopt;
}

bool headers_view::valid(bytes_view raw) {
  while (!raw.empty()) {
    if (raw.size() < sizeof(wire_header_head)) return false;
    const auto total = read_header_head(raw.data()).size();
    if (raw.size() < total) return false;
    raw.remove_prefix(total);
  }
  return true;
}

void encode_headers(bytes& out, std::span<const header_view> headers) {
  byte_writer w{out};
  for (const auto& h : headers) {
    // Thrown, not returned: it comes out of user code's call and fails that record only.
    if (h.name.size() > std::numeric_limits<std::uint16_t>::max() ||
        h.value.size() > max_part_bytes) {
      throw std::length_error{"a header's name is over 65,535 bytes, or its value over 2 GiB"};
    }
    const wire_header_head head{static_cast<std::uint16_t>(h.name.size()), 0,
                                static_cast<std::uint32_t>(h.value.size())};
    w.put_raw({reinterpret_cast<const char*>(&head), sizeof head}).put_raw(h.name).put_raw(h.value);
  }
}

namespace detail {

bool valid_records(bytes_view body, std::uint32_t count, std::uint64_t first_delta) {
  const char* p = body.data();
  std::size_t left = body.size();
  std::uint32_t seen = 0;
  while (left != 0) {
    wire_record_head head;
    if (left < sizeof head) return false;
    std::memcpy(&head, p, sizeof head);
    if (head.size > left || head.size % 8 != 0 || head.value_size < -1 || head.key_size < -1) {
      return false;
    }
    if (head.offset_delta != first_delta + seen) return false;
    const auto value = head.value_size < 0 ? 0 : padded8(static_cast<std::size_t>(head.value_size));
    const auto key = head.key_size < 0 ? 0 : static_cast<std::size_t>(head.key_size);
    if (padded8(sizeof head + value + key + head.headers_size) != head.size) return false;
    if (head.headers_size != 0 &&
        !headers_view::valid({p + sizeof head + value + key, head.headers_size})) {
      return false;
    }
    p += head.size;
    left -= head.size;
    ++seen;
  }
  return seen == count;
}

}  // namespace detail

void record_batch::add(timestamp time, std::optional<bytes_view> key,
                       std::optional<bytes_view> value, bytes_view wire_headers) {
  detail::wire_record_head head;
  const auto value_size = value ? value->size() : 0;
  const auto key_size = key ? key->size() : 0;
  const auto content = sizeof head + detail::padded8(value_size) + key_size + wire_headers.size();
  const auto size = detail::padded8(content);
  if (size > max_part_bytes) throw std::length_error{"a record is over 2 GiB"};
  head.size = static_cast<std::uint32_t>(size);
  head.offset_delta = count_;
  head.time_ms = time.time_since_epoch().count();
  head.value_size = value ? static_cast<std::int32_t>(value_size) : -1;
  head.key_size = key ? static_cast<std::int32_t>(key_size) : -1;
  head.headers_size = static_cast<std::uint32_t>(wire_headers.size());

  // Appended piece by piece, so that nothing is zeroed and then written again.
  constexpr char zeros[8] = {};
  body_.append(reinterpret_cast<const char*>(&head), sizeof head);
  if (value) {
    body_.append(*value);
    body_.append(zeros, detail::padded8(value_size) - value_size);
  }
  if (key) body_.append(*key);
  body_.append(wire_headers);
  body_.append(zeros, size - content);

  ++count_;
  max_time_ = std::max(max_time_, time);
  min_time_ = std::min(min_time_, time);
  largest_ = std::max(largest_, size);
}

void record_batch::add(timestamp time, std::optional<bytes_view> key,
                       std::optional<bytes_view> value,
                       std::initializer_list<header_view> headers) {
  bytes wire;
  encode_headers(wire, std::span{headers.begin(), headers.size()});
  add(time, key, value, bytes_view{wire});
}

void record_batch::rewind(const mark& m) {
  body_.resize(m.bytes);
  count_ = m.count;
  max_time_ = m.max_time;
  min_time_ = m.min_time;
  largest_ = m.largest;
}

void record_batch::clear() { rewind(mark{}); }

std::vector<record_view> read_batch::records() const {
  std::vector<record_view> out;
  cursor c{*this};
  while (const auto* r = c.peek()) {
    out.push_back(*r);
    c.pop();
  }
  return out;
}

}  // namespace kappa
