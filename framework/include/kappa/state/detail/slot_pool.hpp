// Slots of one type that never move, in chunks that grow with their number.
//
// Threading: the owner's thread only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace kappa::detail {

/// Memory for a chunk, aligned to 64 bytes; large ones lie on huge pages where the system has some:
/// entries are touched in no order, and each would cost a miss in the page tables besides its own.
[[nodiscard]] void* allocate_chunk(std::size_t bytes);
void free_chunk(void* chunk, std::size_t bytes) noexcept;

/// The same memory for a container.
template <class T>
struct chunk_allocator {
  using value_type = T;
  chunk_allocator() = default;
  template <class U>
  explicit chunk_allocator(const chunk_allocator<U>&) {}
  [[nodiscard]] T* allocate(std::size_t n) {
    return static_cast<T*>(allocate_chunk(n * sizeof(T)));
  }
  void deallocate(T* chunk, std::size_t n) noexcept { free_chunk(chunk, n * sizeof(T)); }
  friend bool operator==(const chunk_allocator&, const chunk_allocator&) { return true; }
};

template <class T>
class slot_pool {
  static_assert(alignof(T) <= 64);

 public:
  slot_pool() = default;
  slot_pool(const slot_pool&) = delete;
  slot_pool& operator=(const slot_pool&) = delete;
  ~slot_pool() {
    for (const auto& [first, count] : chunks_) {
      std::destroy_n(first, count);
      free_chunk(first, count * sizeof(T));
    }
  }

  /// Makes more slots, as many as there are already within bounds.
  std::pair<T*, std::size_t> grow() {
    const auto count = std::min(next_, std::max<std::size_t>(largest_bytes / sizeof(T), 1));
    chunks_.reserve(chunks_.size() + 1);
    auto* const first = static_cast<T*>(allocate_chunk(count * sizeof(T)));
    try {
      std::uninitialized_value_construct_n(first, count);
    } catch (...) {
      free_chunk(first, count * sizeof(T));
      throw;
    }
    chunks_.emplace_back(first, count);
    next_ = count * 2;
    return chunks_.back();
  }

 private:
  static constexpr std::size_t largest_bytes = std::size_t{2} << 20;
  std::vector<std::pair<T*, std::size_t>> chunks_;
  std::size_t next_ = 32;
};

}  // namespace kappa::detail
