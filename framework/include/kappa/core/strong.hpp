// Strong types for numbers that must not be mixed up: offsets, partitions, generations.
//
// Threading: plain values. Ownership: none.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

#include <fmt/format.h>

namespace kappa {

/// A number with a meaning. Comparable with its own kind only; `value` is the raw number.
template <class Tag, class Rep>
struct strong {
  using rep = Rep;

  Rep value{};

  constexpr strong() = default;
  constexpr explicit strong(Rep v) : value{v} {}

  friend constexpr auto operator<=>(const strong&, const strong&) = default;

  constexpr strong& operator++() {
    ++value;
    return *this;
  }
  friend constexpr strong operator+(strong a, Rep n) {
    return strong{static_cast<Rep>(a.value + n)};
  }
  friend constexpr strong operator-(strong a, Rep n) {
    return strong{static_cast<Rep>(a.value - n)};
  }
  friend constexpr Rep operator-(strong a, strong b) { return static_cast<Rep>(a.value - b.value); }
};

/// Place of a record in a partition. Grows; may have gaps. Starts at 0.
using offset = strong<struct offset_tag, std::int64_t>;
/// Partition number of a topic, from 0.
using partition = strong<struct partition_tag, std::int32_t>;
/// Version of a stage's state and output, from 1.
using generation = strong<struct generation_tag, std::int32_t>;
/// Number of an epoch of one task, from 1; 0 means "none yet".
using epoch_number = strong<struct epoch_tag, std::uint64_t>;
/// Term of the embedded log's writer of an app; a higher one fences the lower ones.
using writer_term = strong<struct writer_term_tag, std::uint64_t>;

}  // namespace kappa

template <class Tag, class Rep>
struct std::hash<kappa::strong<Tag, Rep>> {
  std::size_t operator()(const kappa::strong<Tag, Rep>& s) const noexcept {
    return std::hash<Rep>{}(s.value);
  }
};

template <class Tag, class Rep>
struct fmt::formatter<kappa::strong<Tag, Rep>> : fmt::formatter<Rep> {
  template <class Context>
  auto format(const kappa::strong<Tag, Rep>& s, Context& ctx) const {
    return fmt::formatter<Rep>::format(s.value, ctx);
  }
};
