// The part of keyed_table that does not depend on the value type: the index of cached entries,
// their old versions, eviction, freezing, and reads that merge memory and store.
//
// Threading: the owner's thread only (a frozen delta is read by the snapshot thread too: it is
// never changed). Ownership: entries and versions belong to the typed table's pools.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_set.hpp>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/strong.hpp"
#include "kappa/state/table.hpp"

namespace kappa {

/// What a reader may see: state whose T1 is durable, or the newest (uncommitted) too.
enum class read_level { committed, latest };

struct keyed_table_options {
  /// Budget for decoded values, bytes (estimated by encoded size + overhead). ≥ 64 KiB. Clean
  /// values are evicted when all values together are over it; changed ones stay until a snapshot
  /// has frozen them and their T1 is durable, so the snapshot's limit should be well below.
  std::size_t cache_bytes = std::size_t{64} << 20;
};

/// What queries and tools use: values as bytes, whatever their type.
class keyed_table_base : public state_table {
 public:
  /// The encoded value at `level`; nothing when absent.
  [[nodiscard]] virtual result<std::optional<bytes>> read(bytes_view key, read_level level) = 0;
  /// Keys in [from, to) (`to` empty: to the end) in key order, at `level`, until f returns false.
  /// f must not use the table. errc::invalid_argument when the table holds keys longer than
  /// state_store::max_ordered_key_bytes.
  [[nodiscard]] virtual result<void> scan(bytes_view from, bytes_view to, read_level level,
                                          const state_store::scan_fn& f) = 0;
  /// All keys, in no order, long ones too.
  [[nodiscard]] virtual result<void> scan_all(read_level level, const state_store::scan_fn& f) = 0;
};

namespace detail {

struct cached_version;

/// One key in memory; the typed value follows in the derived struct.
struct cached_entry {
  bytes key;
  std::uint64_t hash = 0;
  std::uint64_t step = 0;            // the last step that kept the old value for undo
  epoch_number epoch;                // the last epoch that kept the old value for queries
  cached_version* oldest = nullptr;  // values before epochs whose T1 is not durable
  cached_version* newest = nullptr;
  std::size_t charge = 0;   // estimated bytes, 0 when the slot is free
  std::uint32_t edits = 0;  // since the value's size was last reset
  bool present = false;     // false: the key is absent (erased, or never there)
  bool dirty = false;       // changed since the last freeze
  bool referenced = false;  // used since the clock's hand last passed
};

/// The value of a key before it was first changed in `epoch`; the typed value follows.
struct cached_version {
  cached_entry* entry = nullptr;
  epoch_number epoch;
  cached_version* newer = nullptr;  // of the same key
  cached_version* queue_prev = nullptr;
  cached_version* queue_next = nullptr;
  std::size_t charge = 0;
  bool present = false;
};

struct hashed_key {
  bytes_view key;
  std::uint64_t hash = 0;
};

struct entry_hash {
  using is_transparent = void;
  using is_avalanching = void;
  std::size_t operator()(const cached_entry* e) const noexcept { return e->hash; }
  std::size_t operator()(const hashed_key& k) const noexcept { return k.hash; }
};
struct entry_equal {
  using is_transparent = void;
  bool operator()(const cached_entry* a, const cached_entry* b) const noexcept { return a == b; }
  bool operator()(const hashed_key& k, const cached_entry* e) const noexcept {
    return k.hash == e->hash && k.key == e->key;
  }
  bool operator()(const cached_entry* e, const hashed_key& k) const noexcept {
    return (*this)(k, e);
  }
};

struct entry_before {
  using is_transparent = void;
  bool operator()(const cached_entry* a, const cached_entry* b) const { return a->key < b->key; }
  bool operator()(const cached_entry* a, bytes_view b) const { return a->key < b; }
  bool operator()(bytes_view a, const cached_entry* b) const { return a < b->key; }
};

class keyed_cache : public keyed_table_base {
 public:
  keyed_cache(state_store& store, std::size_t table, keyed_table_options options);
  keyed_cache(const keyed_cache&) = delete;
  keyed_cache& operator=(const keyed_cache&) = delete;

  void begin_step(epoch_number open_epoch) final;
  void durable(epoch_number e) final;
  [[nodiscard]] frozen_delta freeze() final;
  void thaw() final;
  [[nodiscard]] std::size_t dirty_bytes() const final { return dirty_bytes_; }
  [[nodiscard]] std::size_t frozen_bytes() const final { return frozen_bytes_; }
  [[nodiscard]] std::size_t cache_bytes() const final {
    return cached_bytes_ + kept_bytes_ + frozen_bytes_;
  }

  [[nodiscard]] result<std::optional<bytes>> read(bytes_view key, read_level level) final;
  [[nodiscard]] result<void> scan(bytes_view from, bytes_view to, read_level level,
                                  const state_store::scan_fn& f) final;
  [[nodiscard]] result<void> scan_all(read_level level, const state_store::scan_fn& f) final;

 protected:
  /// What the typed table does for us.
  virtual void encode_value(const cached_entry& e, bytes& out) const = 0;
  virtual void encode_version(const cached_version& v, bytes& out) const = 0;
  [[nodiscard]] virtual result<void> decode_value(cached_entry& e, bytes_view in) = 0;
  virtual void clear_value(cached_entry& e) = 0;
  virtual void clear_version(cached_version& v) = 0;
  /// Makes more free entries: calls add_free_entry for each.
  virtual void grow_entries() = 0;
  virtual void grow_versions() = 0;
  /// Bytes of a cached value whose encoded form has `encoded` bytes.
  [[nodiscard]] virtual std::size_t value_bytes(std::size_t encoded) const = 0;
  /// Sizes of the typed structs.
  [[nodiscard]] virtual std::size_t entry_bytes() const = 0;
  [[nodiscard]] virtual std::size_t version_bytes() const = 0;

  void add_free_entry(cached_entry& e);
  void add_free_version(cached_version& v) { free_versions_.push_back(&v); }

  /// The cached entry, or null. One hash, one probe; asked twice for the same key, none.
  [[nodiscard]] cached_entry* lookup(bytes_view key) {
    if (last_ != nullptr && last_->key == key) return last_;
    const auto it = index_.find(hashed_key{key, checksum(key)});
    if (it == index_.end()) return nullptr;
    return last_ = *it;
  }
  /// The entry of a key that is not cached, read from the frozen set or the store.
  [[nodiscard]] result<cached_entry*> load(bytes_view key);

  /// Takes a version of `e` for the open epoch; the caller fills in the value.
  [[nodiscard]] cached_version& push_version(cached_entry& e);
  /// Takes back the last one pushed.
  void pop_version(cached_entry& e, epoch_number previous_epoch);

  void mark_dirty(cached_entry& e) {
    e.dirty = true;
    dirty_.push_back(&e);
    dirty_bytes_ += e.charge;
    if (e.key.size() > state_store::max_ordered_key_bytes) ++dirty_long_keys_;
    if (ordered_on_) ordered_.insert(&e);
  }
  /// Takes back the last mark.
  void unmark_dirty(cached_entry& e);
  /// Sets the estimate for a value whose encoded form has `encoded` bytes.
  void recharge(cached_entry& e, std::size_t encoded);

  void require_step() const {
    if (!in_step_) outside_step();
  }

  state_store& store_;
  const std::size_t table_;
  bool in_step_ = false;
  std::uint64_t step_ = 0;
  epoch_number open_epoch_;

 private:
  using entry_index = boost::unordered_flat_set<cached_entry*, entry_hash, entry_equal>;

  [[noreturn]] static void outside_step();
  [[nodiscard]] std::size_t overhead_bytes(const cached_entry& e) const;
  [[nodiscard]] const std::pair<bytes, std::optional<bytes>>* find_frozen(bytes_view key) const;
  /// True when the entry's value at some level is not the one in frozen set and store.
  [[nodiscard]] static bool overlays(const cached_entry& e) { return e.dirty || e.oldest; }
  /// The encoded value at `level`; false when absent.
  [[nodiscard]] bool encode_at(const cached_entry& e, read_level level, bytes& out) const;
  void release_version(cached_version& v);
  void release_entry(cached_entry& e);
  /// Looks at up to `most` slots for clean entries to drop while over the budget.
  void evict(std::size_t most, const cached_entry* keep = nullptr);
  [[nodiscard]] result<void> refuse_long_keys() const;
  [[nodiscard]] std::vector<const cached_entry*> overlay(bytes_view from, bytes_view to);
  void unorder(cached_entry& e) {
    if (ordered_on_ && !overlays(e)) ordered_.erase(&e);
  }

  const keyed_table_options options_;
  entry_index index_;
  cached_entry* last_ = nullptr;        // the one looked up last
  std::vector<cached_entry*> entries_;  // all slots, free ones too: the clock's face
  std::size_t hand_ = 0;
  std::vector<cached_entry*> free_entries_;
  std::vector<cached_version*> free_versions_;
  cached_version* first_version_ = nullptr;  // all versions in the order of their making
  cached_version* last_version_ = nullptr;
  std::vector<cached_entry*> dirty_;
  frozen_delta frozen_;
  std::size_t cached_bytes_ = 0;  // of all entries
  std::size_t dirty_bytes_ = 0;   // of the dirty ones
  std::size_t kept_bytes_ = 0;    // of versions
  std::size_t frozen_bytes_ = 0;
  std::size_t dirty_long_keys_ = 0;
  bool frozen_long_keys_ = false;
  bytes scratch_;

  // The overlaying entries in key order: kept only while scans are asked for, because keeping it
  // costs more than the edit itself.
  std::set<cached_entry*, entry_before> ordered_;
  bool ordered_on_ = false;
  bool scanned_ = false;  // since the last freeze
  epoch_number frozen_epoch_;
  epoch_number durable_epoch_;
};

}  // namespace detail
}  // namespace kappa
