#include "kappa/state/detail/slot_pool.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

namespace kappa::detail {

namespace {

constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;

bool is_large(std::size_t bytes) { return bytes > huge_page_bytes / 2; }
std::size_t whole_pages(std::size_t bytes) {
  return (bytes + huge_page_bytes - 1) / huge_page_bytes * huge_page_bytes;
}

}  // namespace

void* allocate_chunk(std::size_t bytes) {
  if (!is_large(bytes)) {
    void* const chunk = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (chunk == nullptr) throw std::bad_alloc{};
    return chunk;
  }
  // Mapped with room to align it, and the room given back: malloc would keep it.
  const auto size = whole_pages(bytes);
  void* const mapped = ::mmap(nullptr, size + huge_page_bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc{};
  auto* const begin = static_cast<char*>(mapped);
  const auto ahead = (huge_page_bytes - reinterpret_cast<std::uintptr_t>(begin) % huge_page_bytes) %
                     huge_page_bytes;
  if (ahead > 0) ::munmap(begin, ahead);
  ::munmap(begin + ahead + size, huge_page_bytes - ahead);
  ::madvise(begin + ahead, size, MADV_HUGEPAGE);  // a wish: where it is not granted all still works
  return begin + ahead;
}

void free_chunk(void* chunk, std::size_t bytes) noexcept {
  if (is_large(bytes)) {
    ::munmap(chunk, whole_pages(bytes));
  } else {
    std::free(chunk);
  }
}

}  // namespace kappa::detail
