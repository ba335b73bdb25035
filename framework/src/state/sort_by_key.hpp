// Sorting by byte-string keys, the first eight bytes as a number beside each item: a million keys
// sort several times faster than through pointers to them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "kappa/core/bytes.hpp"

namespace kappa::detail {

[[nodiscard]] inline std::uint64_t key_prefix(bytes_view key) {
  std::uint64_t raw = 0;
  if (!key.empty()) std::memcpy(&raw, key.data(), std::min(key.size(), sizeof raw));
  return __builtin_bswap64(raw);
}

/// Sorts pointers by the view that `key_of(*pointer)` gives.
template <class T, class KeyOf>
void sort_by_key(std::vector<T*>& items, KeyOf key_of) {
  struct prefixed {
    std::uint64_t prefix;
    T* item;
  };
  std::vector<prefixed> order;
  order.reserve(items.size());
  for (auto* item : items) order.push_back({key_prefix(key_of(*item)), item});
  std::sort(order.begin(), order.end(), [&](const prefixed& a, const prefixed& b) {
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    return key_of(*a.item) < key_of(*b.item);
  });
  for (std::size_t i = 0; i < items.size(); ++i) items[i] = order[i].item;
}

/// Bytes of a string beyond the object itself.
[[nodiscard]] inline std::size_t heap_bytes(bytes_view s) {
  return s.size() > 15 ? s.size() + 17 : 0;
}

}  // namespace kappa::detail
