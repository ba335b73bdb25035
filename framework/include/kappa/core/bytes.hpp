// Byte strings, and the little-endian reader and writer that every format of the framework uses.
//
// Bytes are kept in std::string because its small-buffer storage makes short keys free of
// allocations and because views of it hash and compare fast. They are not text.
//
// Threading: plain values.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace kappa {

using bytes = std::string;
using bytes_view = std::string_view;

/// Appends numbers (little-endian, fixed width) and length-prefixed byte strings to a buffer.
class byte_writer {
 public:
  explicit byte_writer(bytes& out) : out_{out} {}

  template <class T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>)
  byte_writer& put(T v) {
    static_assert(std::endian::native == std::endian::little);
    char raw[sizeof(T)];
    std::memcpy(raw, &v, sizeof(T));
    out_.append(raw, sizeof(T));
    return *this;
  }
  /// A u32 length, then the bytes.
  byte_writer& put_bytes(bytes_view b) {
    put(static_cast<std::uint32_t>(b.size()));
    out_.append(b);
    return *this;
  }
  byte_writer& put_raw(bytes_view b) {
    out_.append(b);
    return *this;
  }

 private:
  bytes& out_;
};

/// Reads what byte_writer wrote. After the first short read `ok()` is false and every further
/// read gives zero or empty: callers check once, at the end.
class byte_reader {
 public:
  explicit byte_reader(bytes_view in) : in_{in} {}

  template <class T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>)
  T get() {
    T v{};
    if (!ok_ || in_.size() < sizeof(T)) {
      ok_ = false;
      return v;
    }
    std::memcpy(&v, in_.data(), sizeof(T));
    in_.remove_prefix(sizeof(T));
    return v;
  }
  bytes_view get_bytes() {
    const auto n = get<std::uint32_t>();
    return get_raw(n);
  }
  bytes_view get_raw(std::size_t n) {
    if (!ok_ || in_.size() < n) {
      ok_ = false;
      return {};
    }
    const auto part = in_.substr(0, n);
    in_.remove_prefix(n);
    return part;
  }
  [[nodiscard]] bytes_view rest() const { return in_; }
  [[nodiscard]] bool ok() const { return ok_; }
  /// True when everything was read and nothing was short.
  [[nodiscard]] bool done() const { return ok_ && in_.empty(); }
  void fail() { ok_ = false; }

 private:
  bytes_view in_;
  bool ok_ = true;
};

/// Big-endian with the sign bit flipped: byte order is number order.
void append_ordered(bytes& out, std::int64_t v);
/// Reads it back from the first 8 bytes of `in`; nothing when `in` is shorter.
[[nodiscard]] std::optional<std::int64_t> read_ordered(bytes_view in);

/// Appends `part` so that composite keys sort part by part: 0x00 becomes 0x00 0xff and the part
/// ends with 0x00 0x01 (the escape of FoundationDB's tuple layer, closed).
void append_ordered(bytes& out, bytes_view part);
/// Reads one escaped part off the front of `in`; nothing when it is malformed.
[[nodiscard]] std::optional<bytes> take_ordered_part(bytes_view& in);

/// Printable form for messages: text as it is, other bytes as \xNN, cut after `limit` bytes.
[[nodiscard]] std::string printable(bytes_view b, std::size_t limit = 120);

/// XXH3, 64 bits: the checksum of frames and values, and the hash of long keys.
[[nodiscard]] std::uint64_t checksum(bytes_view b, std::uint64_t seed = 0);
struct hash128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend bool operator==(const hash128&, const hash128&) = default;
};
[[nodiscard]] hash128 checksum128(bytes_view b);

}  // namespace kappa
