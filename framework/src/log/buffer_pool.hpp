// Buffers for what was read: aligned, counted, and taken again when the last batch over one dies.
//
// Threading: any thread. Ownership: a buffer keeps the pool alive.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace kappa::detail {

class buffer_pool : public std::enable_shared_from_this<buffer_pool> {
 public:
  /// `keep_bytes` = how much unused memory it holds on to.
  [[nodiscard]] static std::shared_ptr<buffer_pool> create(std::size_t keep_bytes = 32 << 20);
  ~buffer_pool();
  buffer_pool(const buffer_pool&) = delete;
  buffer_pool& operator=(const buffer_pool&) = delete;

  /// At least `size` bytes, 64-byte aligned, not cleared.
  [[nodiscard]] std::shared_ptr<char> take(std::size_t size);

  /// Buffers that are out now.
  [[nodiscard]] std::size_t in_use() const;

 private:
  explicit buffer_pool(std::size_t keep_bytes) : keep_bytes_{keep_bytes} {}
  void give_back(char* buffer, std::size_t size_class);

  // Sizes are powers of two, from 4 KiB; larger ones than the last class are not kept.
  static constexpr std::size_t smallest_shift = 12;
  static constexpr std::size_t classes = 16;

  const std::size_t keep_bytes_;
  mutable std::mutex mutex_;
  std::array<std::vector<char*>, classes> free_;
  std::size_t free_bytes_ = 0;
  std::size_t in_use_ = 0;
};

}  // namespace kappa::detail
