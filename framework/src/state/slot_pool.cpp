#include "kappa/state/detail/slot_pool.hpp"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace kappa::detail {

namespace {

constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;

}  // namespace

void* allocate_chunk(std::size_t bytes) {
  const bool large = bytes > huge_page_bytes / 2;
  const std::size_t alignment = large ? huge_page_bytes : 64;
  const auto rounded = (bytes + alignment - 1) / alignment * alignment;
  void* const chunk = std::aligned_alloc(alignment, rounded);
  if (chunk == nullptr) throw std::bad_alloc{};
  // A wish: where it is not granted all still works.
  if (large) (void)::madvise(chunk, rounded, MADV_HUGEPAGE);
  return chunk;
}

void free_chunk(void* chunk) noexcept { std::free(chunk); }

}  // namespace kappa::detail
