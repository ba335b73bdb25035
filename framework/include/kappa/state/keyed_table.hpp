// Keyed state: decoded values in a bounded cache over the store.
//
// A value is read from the store and decoded when it is first asked for; changed ("dirty") values
// stay in memory until a snapshot has them; clean ones are evicted when the cache is over its
// budget. Each entry remembers its value as of the last durable epoch while later epochs change
// it, so a query sees only state whose T1 is durable.
//
// Costs: an edit copies the old value once per step (undo); the first copy in an epoch is also the
// one that queries see. Keep values small, or split them over keys.
//
// Threading: the owner's thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "kappa/core/bytes.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/error.hpp"
#include "kappa/keys/personal.hpp"
#include "kappa/state/detail/keyed_cache.hpp"
#include "kappa/state/detail/slot_pool.hpp"
#include "kappa/state/detail/version_queue.hpp"
#include "kappa/state/table.hpp"

namespace kappa {

namespace detail {
/// Whether there are values that have no stored form (unsealed_text).
template <class V>
inline constexpr bool may_have_no_stored_form = has_personal<V>;
}  // namespace detail

template <class V>
class keyed_table final : public detail::keyed_cache {
  static_assert(encodable<V>, "the value needs a kappa::codec");
  static_assert(std::is_default_constructible_v<V> && std::is_copy_constructible_v<V> &&
                    std::is_copy_assignable_v<V>,
                "edit makes an absent value and keeps copies of old ones");

 public:
  keyed_table(state_store& store, std::size_t table, keyed_table_options options = {})
      : keyed_cache{store, table, options, {sizeof(entry), sizeof(version), fixed_size}} {}

  /// The value, or null. Valid until the next call that changes or loads a key.
  [[nodiscard]] result<const V*> find(bytes_view key) {
    auto* e = lookup(key);
    if (e == nullptr) {
      auto loaded = load(key);
      if (!loaded) return fail(std::move(loaded.error()));
      e = *loaded;
    }
    e->referenced = true;
    return e->present ? &static_cast<entry*>(e)->value : nullptr;
  }

  /// The value to change, made with V{} when absent. Within a step only; the first edit of a key
  /// in a step keeps the old value for undo, the first in an epoch keeps it for queries. Valid
  /// until the key is erased or the step ends. `made`: set to whether it was absent.
  [[nodiscard]] result<V*> edit(bytes_view key, bool* made = nullptr) {
    require_step();
    auto* e = lookup(key);
    if (e == nullptr) {
      auto loaded = load(key);
      if (!loaded) return fail(std::move(loaded.error()));
      e = *loaded;
    }
    auto& typed = static_cast<entry&>(*e);
    if (typed.step != step_) keep_old(typed, false);
    if (made != nullptr) *made = !typed.present;
    if (!typed.present) {
      typed.value = V{};
      typed.present = true;
    }
    typed.referenced = true;
    return &typed.value;
  }

  /// Removes the key. Within a step only.
  [[nodiscard]] result<void> erase(bytes_view key) {
    require_step();
    auto* e = lookup(key);
    if (e == nullptr) {
      auto loaded = load(key);
      if (!loaded) return fail(std::move(loaded.error()));
      e = *loaded;
    }
    if (!e->present) return {};
    auto& typed = static_cast<entry&>(*e);
    if (typed.step != step_) keep_old(typed, true);
    typed.value = V{};
    typed.present = false;
    return {};
  }

  void commit_step() override {
    require_step();
    if constexpr (!fixed_size) {
      for (const auto& u : undo_) settle(*u.entry);
    }
    end_step();
  }

  void rollback_step() override {
    require_step();
    for (auto u = undo_.rbegin(); u != undo_.rend(); ++u) {
      auto& e = *u->entry;
      if (u->kept) {  // else it failed before anything was changed
        e.present = u->was_present;
        if (u->was_present) {
          e.value = std::move(u->version ? static_cast<version&>(*e.newest).value
                                         : old_values_[u->old_value].value);
        } else if constexpr (!fixed_size) {
          e.value = V{};
        }
      }
      if (u->version) pop_version(e);
      e.step = 0;
      if (u->marked) unmark_dirty(e);
    }
    end_step();
  }

 private:
  // Values without memory of their own have a known size; others are measured now and then.
  static constexpr bool fixed_size = std::is_trivially_copyable_v<V>;
  static constexpr std::size_t old_values_kept = 1024;

  struct entry : detail::cached_entry {
    V value{};
  };
  struct version : detail::cached_version {
    V value{};
  };
  struct old_value {  // not V itself: std::vector<bool>
    V value{};
  };
  // Says what has been done so far: memory, or the copy of a value, may fail at any point of it.
  struct undo {
    keyed_table::entry* entry = nullptr;
    std::size_t old_value = 0;  // index, when not kept as a version
    bool version = false;       // one was pushed
    bool kept = false;          // the old value is there, or there was none
    bool marked = false;        // as dirty
    bool was_present = false;
  };

  void keep_old(entry& e, bool may_move) {
    auto& u = undo_.emplace_back();
    u.entry = &e;
    u.was_present = e.present;
    if (e.epoch != open_epoch_) {
      auto& v = static_cast<keyed_table::version&>(push_version(e));
      u.version = true;
      if (e.present) keep_in(v.value, e.value, may_move);
    } else if (e.present) {
      if (old_values_used_ == old_values_.size()) old_values_.emplace_back();
      u.old_value = old_values_used_;
      keep_in(old_values_[u.old_value].value, e.value, may_move);
      ++old_values_used_;
    }
    u.kept = true;
    e.step = step_;
    if (e.dirty) return;
    mark_dirty(e);
    u.marked = true;
  }

  static void keep_in(V& kept, V& value, bool may_move) {
    if (may_move) {
      kept = std::move(value);
    } else {
      kept = value;
    }
  }

  // A value that grows evenly is never estimated at less than half of its size, for log(edits)
  // encodings in all. One that has no stored form must fail in its step, and not in a snapshot.
  void settle(entry& e) {
    ++e.edits;
    if (!detail::may_have_no_stored_form<V> && (e.edits & (e.edits - 1)) != 0) return;
    measured_.clear();
    if (e.present) codec<V>::encode(e.value, measured_);
    recharge(e, measured_.size());
  }

  void end_step() {
    undo_.clear();
    old_values_used_ = 0;
    if (old_values_.size() > old_values_kept) {  // one huge step must not hold its memory for ever
      old_values_.resize(old_values_kept);
      old_values_.shrink_to_fit();
      undo_.shrink_to_fit();
    }
    in_step_ = false;
  }

  void encode_value(const detail::cached_entry& e, bytes& out) const override {
    codec<V>::encode(static_cast<const entry&>(e).value, out);
  }
  void encode_version(const detail::cached_version& v, bytes& out) const override {
    codec<V>::encode(static_cast<const version&>(v).value, out);
  }
  result<void> decode_value(detail::cached_entry& e, bytes_view in) override {
    auto value = codec<V>::decode(in);
    if (!value) return fail(std::move(value.error()));
    static_cast<entry&>(e).value = std::move(*value);
    return {};
  }
  void clear_value(detail::cached_entry& e) override {
    if constexpr (!fixed_size) static_cast<entry&>(e).value = V{};
  }
  void grow_entries() override {
    auto [first, count] = entries_.grow();
    for (std::size_t i = count; i-- > 0;) add_free_entry(first[i]);
  }
  detail::cached_version& new_version() override { return versions_.push(); }
  void drop_last_version() override {
    if constexpr (!fixed_size) versions_.back().value = V{};
    versions_.pop_back();
  }
  void drop_first_versions(std::size_t count) override {
    if constexpr (fixed_size) {
      versions_.pop_front(count, nullptr);
    } else {
      versions_.pop_front(count, [](version& v) { v.value = V{}; });
    }
  }

  detail::slot_pool<entry> entries_;
  detail::version_queue<version> versions_;
  std::vector<undo> undo_;
  std::vector<old_value> old_values_;
  std::size_t old_values_used_ = 0;
  bytes measured_;
};

}  // namespace kappa
