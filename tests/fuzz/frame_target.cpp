// Frames: as they come, with a checksum put right so that what is behind it is reached, and written
// from a script and read back.

#include <vector>

#include "fuzz/fuzz.hpp"
#include "log/frame.hpp"

namespace kappa::fuzz {
namespace {

const topic_partition place{"orders", partition{3}};

std::size_t touched = 0;  // so that every byte is read

void touch(const record_view& r) {
  for (const auto part : {r.key.value_or(""), r.value.value_or(""), r.headers.raw()}) {
    for (const char c : part) touched += static_cast<unsigned char>(c);
  }
  for (const auto h : r.headers) touched += h.name.size() + h.value.size();
}

void read_all(bytes_view frame, const detail::frame_header& h) {
  const auto body = frame.substr(sizeof h);
  // A copy of its own, so that a read behind the end is seen.
  const auto copy = std::make_shared<const bytes>(body);
  const read_batch batch{copy,
                         {{copy->data(), copy->data() + copy->size(), offset{h.base}}},
                         offset{h.first},
                         offset{h.last + 1}};
  std::uint32_t count = 0;
  offset last{h.first - 1};
  for (read_batch::cursor at{batch}; const auto* r = at.peek(); at.pop()) {
    expect(r->offset > last, "offsets grow");
    last = r->offset;
    touch(*r);
    ++count;
  }
  expect(count == h.count, "a frame has as many records as it says");
  expect(h.is_gap() ? count == 0 && h.last >= h.first : last.value == h.last,
         "its last record is where it says");
}

bytes put_right(bytes_view in, std::uint64_t seed) {
  bytes out{in};
  detail::frame_header h;
  std::memcpy(&h, out.data(), sizeof h);
  const detail::frame_header right;
  h.magic = right.magic;
  h.version = right.version;
  h.header_bytes = right.header_bytes;
  h.body_bytes = static_cast<std::uint32_t>(out.size() - sizeof h);
  std::memcpy(out.data(), &h, sizeof h);
  constexpr auto summed_from = offsetof(detail::frame_header, checksum) + sizeof h.checksum;
  h.checksum = checksum(bytes_view{out}.substr(summed_from), seed);
  std::memcpy(out.data(), &h, sizeof h);
  return out;
}

void written_is_read(bytes_view in) {
  script s{in};
  const auto limit = std::size_t{s.byte()} * 16;
  const offset base{static_cast<std::int64_t>(s.number() >> 2)};
  const auto seed = detail::frame_seed(place);
  record_batch batch;
  while (s.more() && batch.count() < 64) {
    const auto kind = s.byte();
    const timestamp time{milliseconds{static_cast<std::int64_t>(s.number())}};
    std::optional<bytes_view> key;
    std::optional<bytes_view> value;
    if ((kind & 1) != 0) key = s.text(64);
    if ((kind & 2) != 0) value = s.text(200);
    if ((kind & 4) != 0) {
      const auto name = s.text(40);
      batch.add(time, key, value, {{name, s.text(40)}});
    } else {
      batch.add(time, key, value);
    }
  }
  if (batch.empty()) return;
  std::vector<record_view> before;
  batch.for_each([&](const record_view& r) { before.push_back(r); }, base);
  std::size_t at = 0;
  const auto done = detail::split_batch(batch, limit, [&](const detail::frame_part& part) {
    bytes frame(part.frame_bytes(), '\0');
    detail::write_frame(frame.data(), part, base, seed);
    const auto first = base + std::int64_t{part.first_delta};
    const auto h = detail::check_frame(frame, seed, place, first);
    expect(h.has_value(), "a frame that was written is sound");
    read_all(frame, *h);
    timestamp latest = min_time;
    for (std::uint32_t i = 0; i < part.count; ++i) latest = std::max(latest, before[at + i].time);
    expect(h->max_time_ms == latest.time_since_epoch().count(), "its latest time is its records'");
    at += part.count;
    return result<void>{};
  });
  expect(done.has_value() && at == before.size(), "every record is in a frame");
}

}  // namespace

void frame(bytes_view in) {
  written_is_read(in);
  const auto seed = detail::frame_seed(place);
  if (in.size() < sizeof(detail::frame_header)) {
    expect(!detail::peek_frame(in), "there is no frame without a header");
    return;
  }
  if (const auto h = detail::peek_frame(in)) {
    if (detail::check_frame(in, seed, place, offset{h->first})) read_all(in, *h);
  }
  auto right = put_right(in, seed);
  const auto h = *detail::peek_frame(right);
  const auto sound = detail::check_frame(right, seed, place, offset{h.first});
  if (!sound) {
    expect(sound.error().code == errc::corrupt, "damage is called so");
    return;
  }
  read_all(right, h);
  expect(!detail::check_frame(right, seed, place, offset{h.first + 1}), "a frame has one place");
  expect(!detail::check_frame(right, detail::frame_seed({"orders", partition{4}}), place,
                              offset{h.first}),
         "a frame of another partition does not pass");
  const auto bit = checksum(in) % (right.size() * 8);
  right[bit / 8] = static_cast<char>(right[bit / 8] ^ 1 << bit % 8);
  expect(!detail::check_frame(right, seed, place, offset{h.first}), "a flipped bit is noticed");
}

}  // namespace kappa::fuzz
