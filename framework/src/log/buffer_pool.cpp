#include "log/buffer_pool.hpp"

#include <algorithm>
#include <bit>
#include <new>

namespace kappa::detail {

namespace {
constexpr std::align_val_t alignment{64};
}

std::shared_ptr<buffer_pool> buffer_pool::create(std::size_t keep_bytes) {
  return std::shared_ptr<buffer_pool>{new buffer_pool{keep_bytes}};
}

buffer_pool::~buffer_pool() {
  for (auto& list : free_) {
    for (auto* b : list) ::operator delete(b, alignment);
  }
}

std::shared_ptr<char> buffer_pool::take(std::size_t size) {
  const auto rounded = std::bit_ceil(std::max(size, std::size_t{1} << smallest_shift));
  const auto size_class = static_cast<std::size_t>(std::countr_zero(rounded)) - smallest_shift;
  char* buffer = nullptr;
  {
    const std::lock_guard lock{mutex_};
    ++in_use_;
    if (size_class < classes && !free_[size_class].empty()) {
      buffer = free_[size_class].back();
      free_[size_class].pop_back();
      free_bytes_ -= rounded;
    }
  }
  if (buffer == nullptr) buffer = static_cast<char*>(::operator new(rounded, alignment));
  return {buffer,
          [pool = shared_from_this(), size_class](char* b) { pool->give_back(b, size_class); }};
}

void buffer_pool::give_back(char* buffer, std::size_t size_class) {
  {
    const std::lock_guard lock{mutex_};
    --in_use_;
    const auto size = std::size_t{1} << (size_class + smallest_shift);
    if (size_class < classes && free_bytes_ + size <= keep_bytes_) {
      free_[size_class].push_back(buffer);
      free_bytes_ += size;
      return;
    }
  }
  ::operator delete(buffer, alignment);
}

std::size_t buffer_pool::in_use() const {
  const std::lock_guard lock{mutex_};
  return in_use_;
}

}  // namespace kappa::detail
