// Old values in the order of their making: epochs end in that order, so whole chunks are reused.
//
// Threading: the owner's thread only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace kappa::detail {

/// A queue whose elements stay where they are, keep their memory, and may be taken back at the end.
template <class T>
class version_queue {
 public:
  [[nodiscard]] T& push() {
    const auto at = head_ + size_++;
    if (at == chunks_.size() * chunk_items) {
      if (free_.empty()) {
        chunks_.push_back(std::make_unique<T[]>(chunk_items));
      } else {
        chunks_.push_back(std::move(free_.back()));
        free_.pop_back();
      }
    }
    return item(at);
  }
  [[nodiscard]] T& back() { return item(head_ + size_ - 1); }
  void pop_back() { --size_; }

  /// Takes `n` off the front, calling f for each unless f is null.
  template <class F>
  void pop_front(std::size_t n, F&& f) {
    if constexpr (!std::is_null_pointer_v<std::remove_cvref_t<F>>) {
      for (std::size_t i = 0; i < n; ++i) f(item(head_ + i));
    }
    head_ += n;
    size_ -= n;
    for (; head_ >= chunk_items; head_ -= chunk_items) {
      // As many are kept as are in use: a burst does not hold its memory for ever.
      if (free_.size() < chunks_.size() + 4) free_.push_back(std::move(chunks_.front()));
      chunks_.pop_front();
    }
  }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t chunk_items = 128;
  [[nodiscard]] T& item(std::size_t at) { return chunks_[at / chunk_items][at % chunk_items]; }

  std::deque<std::unique_ptr<T[]>> chunks_;
  std::vector<std::unique_ptr<T[]>> free_;
  std::size_t head_ = 0;
  std::size_t size_ = 0;
};

}  // namespace kappa::detail
