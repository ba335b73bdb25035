#include "kappa/state/table_delta.hpp"

#include <algorithm>
#include <cstring>

#include "kappa/core/error.hpp"

namespace kappa {

namespace {

// Small deltas stay small, large ones take few chunks.
constexpr std::size_t first_chunk_bytes = std::size_t{4} << 10;
constexpr std::size_t largest_chunk_bytes = std::size_t{1} << 20;

}  // namespace

void table_delta::add(bytes_view key, std::optional<bytes_view> value) {
  const auto size = key.size() + (value ? value->size() : 0);
  if (size >= erased) bug("a key and value of 4 GiB");
  if (size > free_bytes_) {
    const auto wanted = std::clamp(chunk_bytes_, first_chunk_bytes, largest_chunk_bytes);
    free_bytes_ = std::max(wanted, size);
    free_ = chunks_.emplace_back(std::make_unique_for_overwrite<char[]>(free_bytes_)).get();
    chunk_bytes_ += free_bytes_;
  }
  if (sorted_ && !items_.empty() && key <= this->key(items_.size() - 1)) sorted_ = false;
  auto& added = items_.emplace_back();
  added.data = free_;
  added.key_size = static_cast<std::uint32_t>(key.size());
  if (!key.empty()) std::memcpy(free_, key.data(), key.size());
  if (value) {
    added.value_size = static_cast<std::uint32_t>(value->size());
    if (!value->empty()) std::memcpy(free_ + key.size(), value->data(), value->size());
  }
  free_ += size;
  free_bytes_ -= size;
}

std::size_t table_delta::first_not_before(bytes_view key) const {
  std::size_t from = 0;
  for (auto n = items_.size(); n > 0;) {
    const auto half = n / 2;
    if (this->key(from + half) < key) {
      from += half + 1;
      n -= half + 1;
    } else {
      n = half;
    }
  }
  return from;
}

}  // namespace kappa
