// The changes of one table, as bytes: what a T2 writes.
//
// Keys and values lie in a few large chunks: a snapshot of a million small changes takes no
// million allocations on the thread that goes on processing.
//
// Threading: built by one thread, then read by any number. Ownership: views live as long as it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <vector>

#include "kappa/core/bytes.hpp"

namespace kappa {

class table_delta {
 public:
  struct change {
    bytes_view key;
    std::optional<bytes_view> value;  // nothing: erased

    friend bool operator==(const change&, const change&) = default;
  };

  table_delta() = default;
  table_delta(std::initializer_list<change> changes) {
    for (const auto& c : changes) add(c.key, c.value);
  }
  table_delta(table_delta&&) = default;
  table_delta& operator=(table_delta&&) = default;

  /// Each key once, in any order.
  void add(bytes_view key, std::optional<bytes_view> value);
  void reserve(std::size_t changes) { items_.reserve(changes); }

  [[nodiscard]] std::size_t size() const { return items_.size(); }
  [[nodiscard]] bool empty() const { return items_.empty(); }
  [[nodiscard]] change operator[](std::size_t i) const {
    const auto& at = items_[i];
    change c{{at.data, at.key_size}, std::nullopt};
    if (at.value_size != erased) c.value.emplace(at.data + at.key_size, at.value_size);
    return c;
  }
  [[nodiscard]] bytes_view key(std::size_t i) const { return {items_[i].data, items_[i].key_size}; }
  /// True when the keys are in order.
  [[nodiscard]] bool sorted() const { return sorted_; }
  /// Index of the first key that is not before `key`; the keys must be in order.
  [[nodiscard]] std::size_t first_not_before(bytes_view key) const;
  [[nodiscard]] std::size_t memory_bytes() const {
    return chunk_bytes_ + items_.capacity() * sizeof(item);
  }

 private:
  static constexpr std::uint32_t erased = 0xffffffff;
  struct item {
    const char* data = nullptr;
    std::uint32_t key_size = 0;
    std::uint32_t value_size = erased;
  };

  std::vector<item> items_;
  std::vector<std::unique_ptr<char[]>> chunks_;
  std::size_t chunk_bytes_ = 0;
  char* free_ = nullptr;
  std::size_t free_bytes_ = 0;
  bool sorted_ = true;
};

/// A frozen one: the snapshot thread writes it while its table goes on. Null: no changes.
using frozen_delta = std::shared_ptr<const table_delta>;

}  // namespace kappa
