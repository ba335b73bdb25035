// One key of a keyed table in memory, and its old values.
//
// Threading: the owner's thread only. Ownership: the typed table's pools.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kappa/core/bytes.hpp"
#include "kappa/core/strong.hpp"

namespace kappa::detail {

struct cached_version;

/// The typed value follows in the derived struct. With a value of up to 8 bytes and a short key all
/// of it is one cache line: in a state larger than the processor's caches each further line costs
/// as much as the rest of the edit.
struct alignas(64) cached_entry {
  static constexpr std::size_t inline_key_bytes = 16;

  std::uint32_t key_size = 0;
  bool present : 1;         // false: the key is absent (erased, or never there)
  bool dirty : 1;           // changed since the last freeze
  bool referenced : 1;      // used since the clock's hand last passed
  std::uint16_t edits = 0;  // since the value's size was last measured at a freeze; may wrap
  union {
    char inline_key[inline_key_bytes];
    char* long_key;
  };
  std::uint64_t step = 0;            // the last step that kept the old value for undo
  epoch_number epoch;                // the last epoch that kept the old value for queries
  cached_version* newest = nullptr;  // of that epoch; void once it is durable
  std::uint32_t freeze = 0;          // the last freeze that took it
  std::uint32_t charge = 0;          // estimated bytes, 0 when the slot is free

  cached_entry() : present{false}, dirty{false}, referenced{false}, inline_key{} {}
  ~cached_entry() { clear_key(); }
  cached_entry(const cached_entry&) = delete;
  cached_entry& operator=(const cached_entry&) = delete;

  [[nodiscard]] bytes_view key() const {
    return {key_size <= inline_key_bytes ? inline_key : long_key, key_size};
  }
  /// As key() == other; short keys are compared without a call.
  [[nodiscard]] bool has_key(bytes_view other) const {
    if (other.size() != key_size) return false;
    const char* const mine = key_size <= inline_key_bytes ? inline_key : long_key;
    if (key_size - 8U > 8U) return key_size == 0 || std::memcmp(mine, other.data(), key_size) == 0;
    const auto word = [](const char* at) {
      std::uint64_t w;
      std::memcpy(&w, at, sizeof w);
      return w;
    };
    const auto last = key_size - 8;  // the two words may overlap
    return word(mine) == word(other.data()) && word(mine + last) == word(other.data() + last);
  }
  void set_key(bytes_view key) {
    clear_key();
    char* to = inline_key;
    if (key.size() > inline_key_bytes) to = long_key = new char[key.size()];
    if (!key.empty()) std::memcpy(to, key.data(), key.size());
    key_size = static_cast<std::uint32_t>(key.size());
  }
  void clear_key() {
    if (key_size > inline_key_bytes) delete[] long_key;
    key_size = 0;
  }
};

static_assert(sizeof(cached_entry) == 64 && alignof(cached_entry) == 64);

/// The value of a key before it was first changed in `epoch`; the typed value follows. The older
/// one is there only while its epoch is not durable: look at `older_epoch` first.
struct cached_version {
  epoch_number epoch;
  cached_version* older = nullptr;
  epoch_number older_epoch;
  std::size_t charge = 0;
  bool present = false;
};

struct entry_before {
  using is_transparent = void;
  bool operator()(const cached_entry* a, const cached_entry* b) const {
    return a->key() < b->key();
  }
  bool operator()(const cached_entry* a, bytes_view b) const { return a->key() < b; }
  bool operator()(bytes_view a, const cached_entry* b) const { return a < b->key(); }
};

}  // namespace kappa::detail
