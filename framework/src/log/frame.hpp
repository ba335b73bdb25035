// Frames: how batches of records are stored. A header, then the records in wire form.
//
// The checksum covers header and records and is seeded by the place ("orders#3"), so that bytes
// of another partition do not pass for this one's. It is verified at each read.
//
// A frame without records says that its offsets are a gap: what salvage could not bring back. A
// frame that is simply not there is damage, so a gap must be declared.
//
// Threading: plain functions.
#pragma once

#include <cstdint>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/strong.hpp"
#include "kappa/core/time.hpp"
#include "kappa/log/record.hpp"

namespace kappa::detail {

struct frame_header {
  static constexpr std::uint32_t right_magic = 0x3146504b;  // "KPF1"
  static constexpr std::uint16_t right_version = 1;

  std::uint32_t magic = right_magic;
  std::uint16_t version = right_version;
  std::uint16_t header_bytes = 64;
  std::uint64_t checksum = 0;    // of all that follows this field
  std::int64_t base = 0;         // a record's offset = base + its delta
  std::int64_t first = 0;        // offset of the first record: the frame's key
  std::int64_t last = 0;         // offset of the last one
  std::int64_t max_time_ms = 0;  // latest time of the records
  std::uint32_t count = 0;
  std::uint32_t body_bytes = 0;
  std::uint64_t reserved = 0;

  [[nodiscard]] bool is_gap() const { return count == 0; }
};
static_assert(sizeof(frame_header) == 64);

/// The seed of a partition's checksums.
[[nodiscard]] std::uint64_t frame_seed(const topic_partition& tp);

/// A part of a batch that becomes one frame.
struct frame_part {
  bytes_view body;
  std::uint32_t first_delta = 0;
  std::uint32_t count = 0;
  timestamp max_time = kappa::min_time;

  [[nodiscard]] std::size_t frame_bytes() const { return sizeof(frame_header) + body.size(); }
};

/// Cuts a batch at record borders into parts of at most `limit` bytes (a larger record is a part
/// of its own) and calls f(frame_part) for each; stops at the first error.
template <class F>
[[nodiscard]] result<void> split_batch(const record_batch& batch, std::size_t limit, F&& f) {
  const auto body = batch.body();
  if (body.size() <= limit) {
    return f(frame_part{body, 0, batch.count(), batch.max_time()});
  }
  frame_part part;
  const char* begin = body.data();
  const char* at = begin;
  const char* const end = begin + body.size();
  while (at != end) {
    wire_record_head head;
    std::memcpy(&head, at, sizeof head);
    if (part.count != 0 && static_cast<std::size_t>(at - begin) + head.size > limit) {
      part.body = bytes_view{begin, static_cast<std::size_t>(at - begin)};
      if (auto r = f(part); !r) return r;
      begin = at;
      part = frame_part{{}, head.offset_delta, 0, kappa::min_time};
    }
    ++part.count;
    part.max_time = std::max(part.max_time, timestamp{milliseconds{head.time_ms}});
    at += head.size;
  }
  part.body = bytes_view{begin, static_cast<std::size_t>(end - begin)};
  return f(part);
}

/// Writes the frame of `part` to `to`, which has room for `part.frame_bytes()`. `base` = offset of
/// the batch's first record.
void write_frame(char* to, const frame_part& part, offset base, std::uint64_t seed);

/// The frame that declares [first, end) a gap.
[[nodiscard]] bytes gap_frame(offset first, offset end, std::uint64_t seed);

/// Header of a stored frame, for walking without reading the records: nothing when it is not one.
/// Does not verify the checksum.
[[nodiscard]] std::optional<frame_header> peek_frame(bytes_view stored);

/// Verifies a frame (which must not change any more: verify the copy that is handed out).
/// errc::corrupt names `tp`@`at`, its key, and what is wrong.
[[nodiscard]] result<frame_header> check_frame(bytes_view stored, std::uint64_t seed,
                                               const topic_partition& tp, offset at);

}  // namespace kappa::detail
