// The part of keyed_table that does not depend on the value type: the index of cached entries,
// their old versions, eviction, freezing, and reads that merge memory and store.
//
// Threading: the owner's thread only. Ownership: entries and versions belong to the typed table's
// pools.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/strong.hpp"
#include "kappa/core/time.hpp"
#include "kappa/state/detail/cached_entry.hpp"
#include "kappa/state/detail/entry_index.hpp"
#include "kappa/state/detail/expected_entries.hpp"
#include "kappa/state/table.hpp"

namespace kappa {

/// What a reader may see: state whose T1 is durable, or the newest (uncommitted) too.
enum class read_level { committed, latest };

struct keyed_table_options {
  /// Budget for decoded values, bytes (estimated by encoded size + overhead). ≥ 64 KiB. Clean
  /// values are evicted when all values together are over it. Changed ones stay until the T2 of
  /// their snapshot is durable, so the snapshot's limit should be well below.
  std::size_t cache_bytes = std::size_t{64} << 20;
  /// Clean values that nobody has asked for this long are evicted too, at the latest after twice
  /// this time. 0: never. Somebody must call release_idle.
  milliseconds idle{0};
};

/// What queries and tools use: values as bytes, whatever their type.
class keyed_table_base : public state_table {
 public:
  /// Keys that later steps will most likely ask for, in this order: at most `expected_keys` at a
  /// time, told `expected_ahead` calls before the first of them is asked for, each call after as
  /// many steps (expected_entries.hpp). False: guesses are heard no longer, because they were wrong
  /// again and again.
  static constexpr std::size_t expected_keys = detail::expected_entries::group_keys;
  static constexpr std::size_t expected_ahead = detail::expected_entries::groups_ahead;
  virtual bool expect(std::span<const bytes_view> keys) = 0;
  /// Looks for idle values, if it is time for that; not inside a step. And when it is time next;
  /// max_time: there is nothing to be looked at.
  virtual void release_idle(timestamp now) = 0;
  [[nodiscard]] virtual timestamp next_idle_look() const = 0;
  /// Keys whose values are in memory.
  [[nodiscard]] virtual std::size_t cached_entries() const = 0;
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

/// Of the typed structs.
struct value_sizes {
  std::size_t entry_bytes = 0;
  std::size_t version_bytes = 0;
  bool fixed = false;  // the values have no memory of their own
};

class keyed_cache : public keyed_table_base {
 public:
  keyed_cache(state_store& store, std::size_t table, keyed_table_options options,
              value_sizes sizes);
  keyed_cache(const keyed_cache&) = delete;
  keyed_cache& operator=(const keyed_cache&) = delete;

  bool expect(std::span<const bytes_view> keys) final {
    return expected_.expect(keys, index_, sizes_.entry_bytes);
  }
  void release_idle(timestamp now) final;
  [[nodiscard]] timestamp next_idle_look() const final;
  [[nodiscard]] std::size_t cached_entries() const final {
    return entries_.size() - free_entries_.size();
  }
  void begin_step(epoch_number open_epoch) final;
  void durable(epoch_number e) final;
  [[nodiscard]] epoch_number last_epoch() const final { return open_epoch_; }
  [[nodiscard]] frozen_delta freeze() final;
  void thaw() final;
  [[nodiscard]] std::size_t dirty_bytes() const final { return dirty_bytes_; }
  [[nodiscard]] std::size_t frozen_bytes() const final;
  [[nodiscard]] std::size_t cache_bytes() const final;

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
  /// Makes more free entries: calls add_free_entry for each.
  virtual void grow_entries() = 0;
  [[nodiscard]] virtual cached_version& new_version() = 0;
  virtual void drop_last_version() = 0;
  virtual void drop_first_versions(std::size_t count) = 0;

  void add_free_entry(cached_entry& e);

  /// The cached entry, or null. One hash, one probe; asked twice for the same key, none.
  [[nodiscard]] cached_entry* lookup(bytes_view key) {
    if (last_ != nullptr && last_->has_key(key)) return last_;
    if (auto* const e = expected_.take(key)) return last_ = e;
    auto* const e = index_.find(key);
    if (e != nullptr) last_ = e;
    return e;
  }
  /// The entry of a key that is not cached, read from the store.
  [[nodiscard]] result<cached_entry*> load(bytes_view key);

  /// Takes a version of `e` for the open epoch; the caller fills in the value.
  [[nodiscard]] cached_version& push_version(cached_entry& e);
  /// Takes back the last one pushed.
  void pop_version(cached_entry& e);

  /// All of it or, when memory runs out, nothing.
  void mark_dirty(cached_entry& e) {
    if (dirty_.size() == dirty_.capacity()) dirty_.reserve(dirty_.capacity() * 2 + 64);
    if (ordered_on_) ordered_.insert(&e);
    dirty_.push_back(&e);
    e.dirty = true;
    dirty_bytes_ += e.charge;
    if (e.key_size > state_store::max_ordered_key_bytes) ++dirty_long_keys_;
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
  struct kept_epoch {  // versions that were made in one epoch
    epoch_number epoch;
    std::size_t versions = 0;
    std::size_t bytes = 0;
  };

  [[noreturn]] static void outside_step();
  [[nodiscard]] std::size_t overhead_bytes(const cached_entry& e) const;
  [[nodiscard]] bool is_frozen(const cached_entry& e) const { return e.freeze > thawed_; }
  /// True when the entry's value, at one level or both, is not the store's.
  [[nodiscard]] bool overlays(const cached_entry& e) const {
    return e.dirty || is_frozen(e) || e.epoch > durable_epoch_;
  }
  /// The encoded value at `level`; false when absent.
  [[nodiscard]] bool encode_at(const cached_entry& e, read_level level, bytes& out) const;
  void release_entry(cached_entry& e);
  /// Looks at up to `most` slots for clean entries to drop while over the budget.
  void evict(std::size_t most, const cached_entry* keep = nullptr);
  /// Drops what it was not asked for since it was looked at last.
  void evict_unless_used(cached_entry& e);
  [[nodiscard]] result<void> refuse_long_keys() const;
  /// The overlaying entries with keys in [from, to), in order.
  [[nodiscard]] std::vector<const cached_entry*> overlay(bytes_view from, bytes_view to);

  const keyed_table_options options_;
  const value_sizes sizes_;
  entry_index index_;
  cached_entry* last_ = nullptr;  // the one looked up last
  expected_entries expected_;
  std::vector<cached_entry*> entries_;  // all slots, free ones too: the clock's face
  std::size_t hand_ = 0;
  std::size_t idle_hand_ = 0;
  timestamp next_idle_look_ = min_time;
  std::vector<cached_entry*> free_entries_;
  std::size_t cached_bytes_ = 0;  // of all entries

  std::vector<cached_entry*> dirty_;
  std::size_t dirty_bytes_ = 0;
  std::size_t dirty_long_keys_ = 0;

  // Old values of epochs that are not durable yet.
  std::deque<kept_epoch> kept_;
  std::size_t kept_bytes_ = 0;
  epoch_number durable_epoch_;

  // Entries that a snapshot took, until its T2 is durable. Their values may have changed since.
  frozen_delta frozen_;
  std::vector<cached_entry*> frozen_entries_;
  bool frozen_long_keys_ = false;
  epoch_number frozen_epoch_;
  std::uint32_t freezes_ = 0;
  std::uint32_t thawed_ = 0;

  // The overlaying entries in key order: kept only while scans are asked for, because keeping it
  // costs more than the edit itself.
  std::set<cached_entry*, entry_before> ordered_;
  bool ordered_on_ = false;
  bool scanned_ = false;  // since the last freeze
  bytes scratch_;
};

}  // namespace detail
}  // namespace kappa
