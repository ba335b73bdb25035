// The cached entries of a keyed table by key: a hash table made for being asked for several keys
// at once.
//
// Open addressing, linear probing, deletion by shifting back. A slot is one word: the entry's
// address and a few bits of its key's hash, so a probe costs one cache line, and the entry is
// touched only where those bits agree. `prefetch` and `guess` split a search at the places where
// it waits for memory; whoever knows the next keys runs each part for all of them.
//
// Threading: the owner's thread only. Ownership: the entries are the typed table's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kappa/core/bytes.hpp"
#include "kappa/state/detail/cached_entry.hpp"
#include "kappa/state/detail/slot_pool.hpp"

namespace kappa::detail {

class entry_index {
 public:
  [[nodiscard]] static std::uint64_t hash_of(bytes_view key) { return checksum(key); }

  /// The entry of that key, or null.
  [[nodiscard]] cached_entry* find(bytes_view key) const {
    const auto hash = hash_of(key);
    for (auto at = home(hash);; at = next(at)) {
      const auto slot = slots_[at];
      if (slot == 0) return nullptr;
      if (tag_of(slot) != tag(hash)) continue;
      auto* const e = entry_of(slot);
      if (e->has_key(key)) return e;
    }
  }

  /// Asks for the memory that `guess` will look at. Inlined by force, and without a branch: g++ 12
  /// takes what only prefetches for what does nothing, and drops it.
  [[gnu::always_inline]] void prefetch(std::uint64_t hash) const {
    __builtin_prefetch(slots_.data() + home(hash));
  }
  /// What `find` most likely gives, without touching the entry; null: there is none for sure.
  [[nodiscard]] cached_entry* guess(std::uint64_t hash) const {
    for (auto at = home(hash);; at = next(at)) {
      const auto slot = slots_[at];
      if (slot == 0) return nullptr;
      if (tag_of(slot) == tag(hash)) return entry_of(slot);
    }
  }

  /// `e`, whose key is set, must not be there.
  void insert(cached_entry& e);
  /// `e` must be there.
  void erase(const cached_entry& e);

 private:
  // An entry's address is a multiple of 64 and below 2^57 on all present processors: 51 bits.
  static constexpr int address_bits = 51;
  static constexpr int alignment_bits = 6;
  static_assert(alignof(cached_entry) == std::size_t{1} << alignment_bits);

  [[nodiscard]] static std::uint64_t tag(std::uint64_t hash) { return hash >> address_bits; }
  [[nodiscard]] static std::uint64_t tag_of(std::uint64_t slot) { return slot >> address_bits; }
  [[nodiscard]] static cached_entry* entry_of(std::uint64_t slot) {
    constexpr auto mask = (std::uint64_t{1} << address_bits) - 1;
    return reinterpret_cast<cached_entry*>((slot & mask) << alignment_bits);
  }
  [[nodiscard]] static std::uint64_t slot_of(const cached_entry& e, std::uint64_t hash);
  [[nodiscard]] std::size_t home(std::uint64_t hash) const { return hash & (slots_.size() - 1); }
  [[nodiscard]] std::size_t next(std::size_t at) const { return (at + 1) & (slots_.size() - 1); }
  void put(std::uint64_t slot, std::uint64_t hash);
  void grow();

  using slots = std::vector<std::uint64_t, chunk_allocator<std::uint64_t>>;
  static constexpr std::size_t fewest_slots = 64;
  slots slots_ = slots(fewest_slots);  // 0: empty; their number is a power of two
  std::size_t used_ = 0;
};

}  // namespace kappa::detail
