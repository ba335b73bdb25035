// Writes Cap'n Proto messages in canonical form: one segment, no segment table, objects in
// preorder, trailing zero words and null pointers of a struct left out.
//
// Canonical because keys are compared as bytes, and because a field that is appended to a struct
// then leaves the bytes of old values as they are. The library's way (build, then copy with
// setCanonicalRoot) makes the message twice; this makes it once, in place.
//
// Two departures from the letter of the canonical form, both still plain Cap'n Proto:
// - empty texts, data, lists and structs are null pointers;
// - a list of structs that are all zero keeps one word an element, so that the reader's traversal
//   limit can be a small multiple of the message's size.
//
// Threading: a writer belongs to one thread. Errors: std::length_error for what the format cannot
// hold (more than 64 levels, a list of 2^29 elements or more).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <type_traits>

#include "kappa/core/bytes.hpp"

namespace kappa::wire {

static_assert(std::endian::native == std::endian::little, "Kappa's formats are little-endian");

/// Pointers that may be followed one below the other, the root's included; Cap'n Proto's own limit.
inline constexpr int max_nesting = 64;

/// Words that a struct takes: what is left of its data and pointers without trailing zeros.
struct shape {
  std::uint32_t data = 0;
  std::uint32_t pointers = 0;
  [[nodiscard]] bool empty() const { return data == 0 && pointers == 0; }
  [[nodiscard]] std::uint32_t words() const { return data + pointers; }
};

/// The unsigned number that has the bits of a field. Equal values must have equal bits: the
/// negative zero becomes zero, and every NaN the same NaN.
template <class T>
[[nodiscard]] constexpr auto bits_of(T v) {
  if constexpr (std::is_floating_point_v<T>) {
    using raw = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    if (v != v) return std::bit_cast<raw>(std::numeric_limits<T>::quiet_NaN());
    return std::bit_cast<raw>(v + T{0});
  } else if constexpr (std::is_enum_v<T>) {
    return static_cast<std::make_unsigned_t<std::underlying_type_t<T>>>(v);
  } else {
    return static_cast<std::make_unsigned_t<T>>(v);
  }
}

/// The data section of one struct while it is filled, and which pointers will not be null.
template <unsigned DataWords, unsigned Pointers>
struct frame {
  static constexpr unsigned data_words = DataWords;
  static constexpr unsigned pointer_count = Pointers;

  std::uint64_t data[DataWords == 0 ? 1 : DataWords] = {};
  bool used[Pointers == 0 ? 1 : Pointers] = {};

  /// `index` counts in sizes of T, as in the schema.
  template <class T>
  void set(unsigned index, T v, T fallback = T{}) {
    auto raw = bits_of(v);
    raw ^= bits_of(fallback);  // not `a ^ b`: that is an int where a and b are small
    std::memcpy(reinterpret_cast<char*>(data) + index * sizeof(raw), &raw, sizeof raw);
  }
  void set_bit(unsigned index, bool v, bool fallback = false) {
    if (v != fallback) data[index / 64] |= std::uint64_t{1} << (index % 64);
  }
  [[nodiscard]] shape trimmed() const {
    shape s{DataWords, Pointers};
    while (s.data > 0 && data[s.data - 1] == 0) --s.data;
    while (s.pointers > 0 && !used[s.pointers - 1]) --s.pointers;
    return s;
  }
};

/// Element sizes of a list pointer.
enum class element_size : std::uint8_t {
  nothing = 0,
  bit = 1,
  byte = 2,
  two_bytes = 3,
  four_bytes = 4,
  eight_bytes = 5,
  pointer = 6,
  composite = 7
};

class writer {
 public:
  /// Appends the message to `out`.
  explicit writer(bytes& out) : out_{out} {}

  /// Room for `words` words of zeros at the end; the byte position of the first.
  [[nodiscard]] std::size_t allocate(std::size_t words) {
    const auto at = out_.size();
    out_.resize(at + words * 8);
    return at;
  }
  void store(std::size_t at, const void* from, std::size_t bytes) {
    if (bytes != 0) std::memcpy(out_.data() + at, from, bytes);
  }

  /// The pointer at `slot` shall lead to a struct of shape `s` at `target`.
  void struct_pointer(std::size_t slot, std::size_t target, shape s) {
    // A struct without a body has nowhere to point to: -1, by convention.
    const auto distance = s.empty() ? -1 : words_between(slot, target);
    store_word(slot, (static_cast<std::uint64_t>(distance) << 2 & 0xffffffffU) |
                         std::uint64_t{s.data} << 32 | std::uint64_t{s.pointers} << 48);
  }
  /// `count` elements, or words for `composite`.
  void list_pointer(std::size_t slot, std::size_t target, element_size size, std::size_t count) {
    if (count >= (std::size_t{1} << 29))
      throw std::length_error{"a list is too long for Cap'n Proto"};
    const auto distance = words_between(slot, target);
    store_word(slot, (static_cast<std::uint64_t>(distance) << 2 & 0xffffffffU) | 1U |
                         std::uint64_t{static_cast<std::uint8_t>(size)} << 32 |
                         std::uint64_t{count} << 35);
  }
  /// The first word of a list of structs.
  void composite_tag(std::size_t at, std::size_t count, shape s) {
    store_word(at, std::uint64_t{count} << 2 | std::uint64_t{s.data} << 32 |
                       std::uint64_t{s.pointers} << 48);
  }
  /// A list of bytes; for texts with the NUL that ends them.
  void byte_list(std::size_t slot, bytes_view v, bool text) {
    const auto size = v.size() + (text ? 1 : 0);
    const auto at = allocate((size + 7) / 8);
    store(at, v.data(), v.size());
    list_pointer(slot, at, element_size::byte, size);
  }

  /// One level deeper, until the guard goes.
  class level {
   public:
    explicit level(writer& w) : writer_{w} {
      if (++writer_.depth_ > max_nesting) {
        throw std::length_error{"nested deeper than Cap'n Proto's 64 levels"};
      }
    }
    ~level() { --writer_.depth_; }
    level(const level&) = delete;
    level& operator=(const level&) = delete;

   private:
    writer& writer_;
  };

 private:
  void store_word(std::size_t at, std::uint64_t v) { std::memcpy(out_.data() + at, &v, 8); }
  static std::int64_t words_between(std::size_t slot, std::size_t target) {
    const auto words = static_cast<std::int64_t>(target - slot) / 8 - 1;
    if (words >= (std::int64_t{1} << 29)) throw std::length_error{"too long for Cap'n Proto"};
    return words;
  }

  bytes& out_;
  int depth_ = 0;
};

}  // namespace kappa::wire
