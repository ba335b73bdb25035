// Entries of keys that steps will ask for soon, brought nearer stage by stage.
//
// A state is larger than the processor's caches. Waiting for memory once for each of several keys
// at the same time costs a fraction of waiting for one after the other, and not waiting at all
// costs less still: between two stages of a group of keys the steps of an earlier group run.
//
// Threading: the owner's thread only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kappa/core/bytes.hpp"
#include "kappa/state/detail/cached_entry.hpp"
#include "kappa/state/detail/entry_index.hpp"

namespace kappa::detail {

class expected_entries {
 public:
  static constexpr std::size_t group_keys = 16;
  /// A group is ready so many calls after the one that named its keys.
  static constexpr std::size_t groups_ahead = 2;

  /// The next group's keys, at most group_keys, none where nothing is known; the group named
  /// groups_ahead calls ago is what `take` looks at now. False: guesses were wrong again and again,
  /// so they are heard no longer. `entry_bytes`: size of the typed entry.
  bool expect(std::span<const bytes_view> keys, const entry_index& index, std::size_t entry_bytes);
  /// The entry of `key` if it is the next one of the group that is ready, or a later one; else
  /// null.
  [[nodiscard]] cached_entry* take(bytes_view key) {
    auto& ready = groups_[ready_];
    for (auto i = next_; i < ready.count; ++i) {
      auto* const e = ready.entries[i];
      if (e == nullptr || !e->has_key(key)) continue;
      next_ = i + 1;
      return e;
    }
    return nullptr;
  }
  /// `e` is about to be given to another key.
  void forget(const cached_entry& e);

 private:
  struct group {
    std::size_t count = 0;
    std::array<std::uint64_t, group_keys> hashes{};
    std::array<cached_entry*, group_keys> entries{};  // null: not cached; may be the wrong one
  };

  std::array<group, groups_ahead + 1> groups_;
  std::size_t ready_ = 0;
  std::size_t next_ = 0;  // in the group that is ready
  int vain_ = 0;          // groups in a row of which nothing was asked for
};

}  // namespace kappa::detail
