#include "log/frame.hpp"

#include <cstring>

#include <fmt/format.h>

namespace kappa::detail {

namespace {

constexpr std::size_t unsummed_bytes = offsetof(frame_header, checksum) + sizeof(std::uint64_t);

std::uint64_t sum(bytes_view frame, std::uint64_t seed) {
  return checksum(frame.substr(unsummed_bytes), seed);
}

tl::unexpected<error> damaged(const topic_partition& tp, offset at, std::string_view what) {
  return fail(errc::corrupt, fmt::format("{}@{}", tp.text(), at.value),
              fmt::format("damaged frame: {}; `kappa salvage` copies what is sound", what));
}

}  // namespace

std::uint64_t frame_seed(const topic_partition& tp) {
  return checksum(tp.topic + "#" + std::to_string(tp.partition.value));
}

void write_frame(char* to, const frame_part& part, offset base, std::uint64_t seed) {
  frame_header h;
  h.base = base.value;
  h.first = base.value + part.first_delta;
  h.last = h.first + part.count - 1;
  h.max_time_ms = part.max_time.time_since_epoch().count();
  h.count = part.count;
  h.body_bytes = static_cast<std::uint32_t>(part.body.size());
  std::memcpy(to, &h, sizeof h);
  std::memcpy(to + sizeof h, part.body.data(), part.body.size());
  h.checksum = sum({to, part.frame_bytes()}, seed);
  std::memcpy(to + offsetof(frame_header, checksum), &h.checksum, sizeof h.checksum);
}

bytes gap_frame(offset first, offset end, std::uint64_t seed) {
  frame_header h;
  h.base = h.first = first.value;
  h.last = end.value - 1;
  h.max_time_ms = kappa::min_time.time_since_epoch().count();
  bytes out(sizeof h, '\0');
  std::memcpy(out.data(), &h, sizeof h);
  h.checksum = sum(out, seed);
  std::memcpy(out.data() + offsetof(frame_header, checksum), &h.checksum, sizeof h.checksum);
  return out;
}

std::optional<frame_header> peek_frame(bytes_view stored) {
  frame_header h;
  if (stored.size() < sizeof h) return std::nullopt;
  std::memcpy(&h, stored.data(), sizeof h);
  if (h.magic != frame_header::right_magic || h.version != frame_header::right_version ||
      h.header_bytes != sizeof h || stored.size() - sizeof h != h.body_bytes) {
    return std::nullopt;
  }
  return h;
}

result<frame_header> check_frame(bytes_view stored, std::uint64_t seed, const topic_partition& tp,
                                 offset at) {
  const auto h = peek_frame(stored);
  if (!h) return damaged(tp, at, "its header is wrong");
  if (h->checksum != sum(stored, seed)) return damaged(tp, at, "its checksum is wrong");
  // What the checksum says is as it was written; that it was written well is checked too, because
  // readers walk the records without looking at bounds.
  const bool in_order = h->base >= 0 && h->first >= h->base && h->last >= h->first;
  const bool well_counted =
      in_order && (h->is_gap() || h->last - h->first == std::int64_t{h->count} - 1);
  if (h->first != at.value || !well_counted ||
      !valid_records(stored.substr(sizeof(frame_header)), h->count,
                     static_cast<std::uint64_t>(h->first - h->base))) {
    return damaged(tp, at, "its records are malformed");
  }
  return *h;
}

}  // namespace kappa::detail
