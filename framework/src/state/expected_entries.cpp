#include "kappa/state/detail/expected_entries.hpp"

#include <algorithm>

namespace kappa::detail {

namespace {
constexpr int most_vain = 16;
}

bool expected_entries::expect(std::span<const bytes_view> keys, const entry_index& index,
                              std::size_t entry_bytes) {
  if (vain_ > most_vain) return false;
  auto& done = groups_[ready_];
  // Keys that are new, or not cached, say nothing of the guess.
  const auto end = done.entries.begin() + static_cast<std::ptrdiff_t>(done.count);
  if (next_ != 0) {
    vain_ = 0;
  } else if (std::any_of(done.entries.begin(), end, [](const auto* e) { return e != nullptr; })) {
    ++vain_;
  }
  // The groups go around: the one that is done takes the new keys.
  done.count = std::min(keys.size(), group_keys);
  for (std::size_t i = 0; i < done.count; ++i) {
    done.hashes[i] = entry_index::hash_of(keys[i]);
    done.entries[i] = nullptr;
    index.prefetch(done.hashes[i]);
  }
  auto& found = groups_[(ready_ + groups_ahead) % groups_.size()];
  for (std::size_t i = 0; i < found.count; ++i) {
    auto* const e = found.entries[i] = index.guess(found.hashes[i]);
    if (e == nullptr) continue;
    __builtin_prefetch(e, 1);
    if (entry_bytes > 64) __builtin_prefetch(reinterpret_cast<const char*>(e) + 64, 1);
  }
  ready_ = (ready_ + 1) % groups_.size();
  next_ = 0;
  return true;
}

void expected_entries::forget(const cached_entry& e) {
  for (auto& g : groups_) {
    std::replace(g.entries.begin(), g.entries.end(), const_cast<cached_entry*>(&e),
                 static_cast<cached_entry*>(nullptr));
  }
}

}  // namespace kappa::detail
