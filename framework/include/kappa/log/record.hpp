// Records: the writer's batch, and views of what was read.
//
// A record is kept in one wire form from the step that emits it to the reader that consumes it, so
// that it is encoded once and copied once. Layout, little-endian, everything 8-aligned when the
// batch is:
//
//   u32 size (of the whole record, a multiple of 8)   u32 offset delta from the frame's base
//   i64 time (ms)                                     i32 value size, -1 = null
//   i32 key size, -1 = null                           u32 headers size   u32 zero
//   value, padded to 8; key; headers; padded to 8
//   headers: per header u16 name size, u16 zero, u32 value size, name, value
//
// The value comes first so that it is aligned: Cap'n Proto reads it in place.
//
// Threading: a batch is built by one thread; a finished one may be read by many. Ownership: views
// live as long as the buffer they point into.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kappa/core/bytes.hpp"
#include "kappa/core/strong.hpp"
#include "kappa/core/time.hpp"

namespace kappa {

struct topic_partition {
  std::string topic;
  kappa::partition partition;

  friend auto operator<=>(const topic_partition&, const topic_partition&) = default;
  friend bool operator==(const topic_partition&, const topic_partition&) = default;
  /// "orders[3]"
  [[nodiscard]] std::string text() const;
};

/// A header by reference, to write or as read.
struct header_view {
  bytes_view name;
  bytes_view value;
  friend bool operator==(const header_view&, const header_view&) = default;
};

/// The headers of one record, in their wire form. Iterable; names may repeat.
class headers_view {
 public:
  headers_view() = default;
  explicit headers_view(bytes_view raw) : raw_{raw} {}

  class iterator {
   public:
    using value_type = header_view;
    using difference_type = std::ptrdiff_t;
    iterator() = default;
    explicit iterator(bytes_view rest) : rest_{rest} {}
    header_view operator*() const;
    iterator& operator++();
    iterator operator++(int) {
      auto old = *this;
      ++*this;
      return old;
    }
    friend bool operator==(const iterator& a, const iterator& b) {
      return a.rest_.size() == b.rest_.size();
    }

   private:
    bytes_view rest_;
  };

  [[nodiscard]] iterator begin() const { return iterator{raw_}; }
  [[nodiscard]] iterator end() const { return iterator{}; }
  [[nodiscard]] bool empty() const { return raw_.empty(); }
  [[nodiscard]] bytes_view raw() const { return raw_; }
  /// The first header of that name.
  [[nodiscard]] std::optional<bytes_view> find(bytes_view name) const;
  /// True when the bytes are a well-formed header list (checked once for each frame read).
  [[nodiscard]] static bool valid(bytes_view raw);

 private:
  bytes_view raw_;
};

/// One record as read. Valid as long as the batch it came from.
struct record_view {
  kappa::offset offset;
  timestamp time;
  std::optional<bytes_view> key;
  std::optional<bytes_view> value;
  headers_view headers;
};

namespace detail {

struct wire_record_head {
  std::uint32_t size = 0;
  std::uint32_t offset_delta = 0;
  std::int64_t time_ms = 0;
  std::int32_t value_size = -1;
  std::int32_t key_size = -1;
  std::uint32_t headers_size = 0;
  std::uint32_t zero = 0;
};
static_assert(sizeof(wire_record_head) == 32);

[[nodiscard]] constexpr std::size_t padded8(std::size_t n) { return (n + 7) & ~std::size_t{7}; }

/// Reads the record at `at` into `r` and gives its size. The bytes must have been checked
/// (`valid_records`). In place, because a view that is built elsewhere and then moved is read
/// before its writes have left the store buffer, which costs as much as all the rest.
inline std::uint32_t read_record(const char* at, offset base, record_view& r) {
  wire_record_head head;
  std::memcpy(&head, at, sizeof head);
  r.offset = base + std::int64_t{head.offset_delta};
  r.time = timestamp{milliseconds{head.time_ms}};
  const char* p = at + sizeof head;
  if (head.value_size >= 0) {
    const auto n = static_cast<std::size_t>(head.value_size);
    r.value.emplace(p, n);
    p += padded8(n);
  } else {
    r.value.reset();
  }
  if (head.key_size >= 0) {
    const auto n = static_cast<std::size_t>(head.key_size);
    r.key.emplace(p, n);
    p += n;
  } else {
    r.key.reset();
  }
  r.headers = headers_view{bytes_view{p, head.headers_size}};
  return head.size;
}

/// How many bytes a record takes in wire form.
[[nodiscard]] inline std::size_t record_bytes(std::optional<bytes_view> key,
                                              std::optional<bytes_view> value,
                                              std::size_t headers_bytes) {
  return padded8(sizeof(wire_record_head) + padded8(value ? value->size() : 0) +
                 (key ? key->size() : 0) + headers_bytes);
}

/// True when `body` holds exactly `count` well-formed records, their offset deltas counting from
/// `first_delta`.
[[nodiscard]] bool valid_records(bytes_view body, std::uint32_t count, std::uint64_t first_delta);

}  // namespace detail

/// Records to append to one partition, encoded as they are added.
class record_batch {
 public:
  /// Adds a record. `headers` is in wire form (`encode_headers`, or headers_view::raw()).
  void add(timestamp time, std::optional<bytes_view> key, std::optional<bytes_view> value,
           bytes_view wire_headers = {});
  void add(timestamp time, std::optional<bytes_view> key, std::optional<bytes_view> value,
           std::initializer_list<header_view> headers);

  [[nodiscard]] std::uint32_t count() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::size_t size_bytes() const { return body_.size(); }
  /// The records in wire form; offset deltas count from 0.
  [[nodiscard]] bytes_view body() const { return body_; }
  [[nodiscard]] timestamp max_time() const { return max_time_; }
  [[nodiscard]] timestamp min_time() const { return min_time_; }
  /// Size of the largest record, bytes: checked against the topic's limit.
  [[nodiscard]] std::size_t largest_bytes() const { return largest_; }

  /// Where the batch ends now, to take back what a failed step added.
  struct mark {
    std::size_t bytes = 0;
    std::uint32_t count = 0;
    timestamp max_time = kappa::min_time;
    timestamp min_time = kappa::max_time;
    std::size_t largest = 0;
  };
  [[nodiscard]] mark position() const {
    return {body_.size(), count_, max_time_, min_time_, largest_};
  }
  void rewind(const mark& m);
  void clear();

  /// Calls f(record_view) for each record, offsets counting from `base`.
  template <class F>
  void for_each(F&& f, offset base = offset{0}) const {
    const char* p = body_.data();
    const char* const end = p + body_.size();
    record_view r;
    while (p < end) {
      const auto size = detail::read_record(p, base, r);
      f(r);
      p += size;
    }
  }

 private:
  bytes body_;
  std::uint32_t count_ = 0;
  timestamp max_time_ = kappa::min_time;
  timestamp min_time_ = kappa::max_time;
  std::size_t largest_ = 0;
};

/// Appends headers in wire form to `out`.
void encode_headers(bytes& out, std::span<const header_view> headers);

/// Records read from one partition: several frames in one counted, 8-aligned buffer.
class read_batch {
 public:
  struct frame {
    const char* begin = nullptr;
    const char* end = nullptr;
    offset base;
  };

  read_batch() = default;
  /// `next` = the offset to read on from (past the last record, gaps included).
  read_batch(std::shared_ptr<const void> buffer, std::vector<frame> frames, offset from,
             offset next)
      : buffer_{std::move(buffer)}, frames_{std::move(frames)}, from_{from}, next_{next} {}

  [[nodiscard]] offset from() const { return from_; }
  [[nodiscard]] offset next() const { return next_; }
  /// True when nothing was there to read; `next()` may still be past `from()` (a gap).
  [[nodiscard]] bool empty() const { return frames_.empty(); }
  [[nodiscard]] const std::shared_ptr<const void>& buffer() const { return buffer_; }

  /// Pulls records one by one; skips those before `from`.
  class cursor {
   public:
    cursor() = default;
    explicit cursor(const read_batch& batch) : batch_{&batch} { enter(0); }
    /// Null at the end. The pointer is valid until the next call.
    const record_view* peek() {
      if (loaded_) return &current_;
      if (!batch_) return nullptr;
      for (;;) {
        if (at_ == end_) {
          if (frame_ + 1 >= batch_->frames_.size()) return nullptr;
          enter(frame_ + 1);
          continue;
        }
        size_ = detail::read_record(at_, base_, current_);
        if (current_.offset >= batch_->from_) {
          loaded_ = true;
          return &current_;
        }
        at_ += size_;
      }
    }
    void pop() {
      at_ += size_;
      loaded_ = false;
    }

   private:
    void enter(std::size_t frame) {
      frame_ = frame;
      if (frame >= batch_->frames_.size()) {
        at_ = end_ = nullptr;
        return;
      }
      const auto& f = batch_->frames_[frame];
      at_ = f.begin;
      end_ = f.end;
      base_ = f.base;
    }

    const read_batch* batch_ = nullptr;
    std::size_t frame_ = 0;
    const char* at_ = nullptr;
    const char* end_ = nullptr;
    offset base_;
    std::uint32_t size_ = 0;
    record_view current_;
    bool loaded_ = false;
  };

  /// For tests and tools: all records at once.
  [[nodiscard]] std::vector<record_view> records() const;

 private:
  std::shared_ptr<const void> buffer_;
  std::vector<frame> frames_;
  offset from_;
  offset next_;
};

}  // namespace kappa

template <>
struct std::hash<kappa::topic_partition> {
  std::size_t operator()(const kappa::topic_partition& tp) const noexcept {
    return std::hash<std::string>{}(tp.topic) * 31 + std::hash<std::int32_t>{}(tp.partition.value);
  }
};
