// Reads of a keyed table for queries and tools: memory over the frozen set over the store.

#include <algorithm>
#include <memory>
#include <optional>

#include "kappa/state/detail/keyed_cache.hpp"
#include "state/sort_by_key.hpp"

namespace kappa::detail {

namespace {

// Below this, collecting the changed entries for each scan is cheaper than keeping them in order.
constexpr std::size_t unordered_scan_limit = 256;

}  // namespace

bool keyed_cache::encode_at(const cached_entry& e, read_level level, bytes& out) const {
  out.clear();
  if (level == read_level::committed && e.oldest != nullptr) {
    // All versions that are left are of epochs not yet durable: the first holds what was before.
    if (e.oldest->present) encode_version(*e.oldest, out);
    return e.oldest->present;
  }
  if (e.present) encode_value(e, out);
  return e.present;
}

result<std::optional<bytes>> keyed_cache::read(bytes_view key, read_level level) {
  bytes out;
  // A query is no use in the cache's sense: it neither loads nor keeps an entry alive.
  const auto it = index_.find(hashed_key{key, checksum(key)});
  if (it != index_.end()) {
    if (!encode_at(**it, level, out)) return std::nullopt;
    return out;
  }
  // What is not cached has no version that waits for its T1, so both levels agree.
  if (const auto* frozen = find_frozen(key)) return frozen->second;
  auto found = store_.get(table_, key, out);
  if (!found) return fail(std::move(found.error()));
  if (!*found) return std::nullopt;
  return out;
}

std::vector<const cached_entry*> keyed_cache::overlay(bytes_view from, bytes_view to) {
  std::vector<const cached_entry*> found;
  if (!ordered_on_) {
    const auto wanted = [&](const cached_entry& e) {
      return e.key >= from && (to.empty() || e.key < to);
    };
    std::size_t seen = dirty_.size();
    for (const auto* e : dirty_) {
      if (wanted(*e)) found.push_back(e);
    }
    for (const auto* v = first_version_; v != nullptr; v = v->queue_next, ++seen) {
      // One that is dirty was found above; of several versions the oldest stands for all.
      if (!v->entry->dirty && v->entry->oldest == v && wanted(*v->entry)) found.push_back(v->entry);
    }
    sort_by_key(found, [](const cached_entry& e) -> const bytes& { return e.key; });
    if (seen > unordered_scan_limit && scanned_) {  // the second scan since the last freeze
      ordered_.insert(dirty_.begin(), dirty_.end());
      for (auto* v = first_version_; v != nullptr; v = v->queue_next) ordered_.insert(v->entry);
      ordered_on_ = true;
    }
  } else {
    for (auto it = ordered_.lower_bound(from); it != ordered_.end(); ++it) {
      if (!to.empty() && (*it)->key >= to) break;
      found.push_back(*it);
    }
  }
  scanned_ = true;
  return found;
}

result<void> keyed_cache::refuse_long_keys() const {
  if (dirty_long_keys_ == 0 && !frozen_long_keys_) return {};
  return fail(errc::invalid_argument, store_.subject(table_, {}),
              "holds keys that are too long to be kept in order: it cannot be scanned by range");
}

result<void> keyed_cache::scan(bytes_view from, bytes_view to, read_level level,
                               const state_store::scan_fn& f) {
  // Refused here too, or the answer would change with the next snapshot.
  if (auto ok = refuse_long_keys(); !ok) return ok;
  const auto changed = overlay(from, to);
  auto next_changed = changed.begin();
  static const table_delta none;
  const auto& frozen = frozen_ != nullptr ? *frozen_ : none;
  auto next_frozen = first_not_before(frozen, from);
  const auto end_frozen = to.empty() ? frozen.end() : first_not_before(frozen, to);

  bytes value;
  bool go_on = true;
  // Gives what memory holds for keys before `bound` (all when nothing); tells whether it also
  // held `bound` itself.
  const auto give_up_to = [&](std::optional<bytes_view> bound) {
    while (go_on) {
      const bool has_changed = next_changed != changed.end();
      const bool has_frozen = next_frozen != end_frozen;
      if (!has_changed && !has_frozen) return false;
      const bool take_changed =
          has_changed && (!has_frozen || (*next_changed)->key <= next_frozen->first);
      const bytes_view key = take_changed ? (*next_changed)->key : next_frozen->first;
      if (bound && key > *bound) return false;
      if (take_changed) {
        if (has_frozen && next_frozen->first == key) ++next_frozen;  // the newer one wins
        const auto& e = **next_changed++;
        if (encode_at(e, level, value)) go_on = f(key, value);
      } else {
        const auto& [frozen_key, frozen_value] = *next_frozen++;
        if (frozen_value) go_on = f(frozen_key, *frozen_value);
      }
      if (bound && key == *bound) return true;
    }
    return false;
  };

  auto ok = store_.scan(table_, from, to, [&](bytes_view key, bytes_view stored) {
    const bool replaced = give_up_to(key);
    if (go_on && !replaced) go_on = f(key, stored);
    return go_on;
  });
  if (!ok) return ok;
  give_up_to(std::nullopt);
  return {};
}

result<void> keyed_cache::scan_all(read_level level, const state_store::scan_fn& f) {
  const auto changed_entry = [&](bytes_view key) -> const cached_entry* {
    const auto it = index_.find(hashed_key{key, checksum(key)});
    return it != index_.end() && overlays(**it) ? *it : nullptr;
  };
  bool go_on = true;
  auto ok = store_.scan_all(table_, [&](bytes_view key, bytes_view stored) {
    if (changed_entry(key) == nullptr && find_frozen(key) == nullptr) go_on = f(key, stored);
    return go_on;
  });
  if (!ok) return ok;
  if (frozen_ != nullptr) {
    for (auto it = frozen_->begin(); go_on && it != frozen_->end(); ++it) {
      if (it->second && changed_entry(it->first) == nullptr) go_on = f(it->first, *it->second);
    }
  }
  bytes value;
  const auto give = [&](const cached_entry& e) {
    if (go_on && encode_at(e, level, value)) go_on = f(e.key, value);
  };
  for (const auto* e : dirty_) give(*e);
  for (const auto* v = first_version_; v != nullptr; v = v->queue_next) {
    if (!v->entry->dirty && v->entry->oldest == v) give(*v->entry);
  }
  return {};
}

}  // namespace kappa::detail
