// Reads of a keyed table for queries and tools: memory over the store.

#include <algorithm>
#include <optional>

#include "kappa/state/detail/keyed_cache.hpp"
#include "state/sort_by_key.hpp"

namespace kappa::detail {

namespace {

// Below this, collecting the changed entries for each scan is cheaper than keeping them in order.
constexpr std::size_t unordered_scan_limit = 256;

}  // namespace

result<std::optional<bytes>> keyed_cache::read(bytes_view key, read_level level) {
  bytes out;
  // A query is no use in the cache's sense: it neither loads nor keeps an entry alive.
  if (const auto* e = index_.find(key)) {
    if (!encode_at(*e, level, out)) return std::nullopt;
    return out;
  }
  auto found = store_.get(table_, key, out);
  if (!found) return fail(std::move(found.error()));
  if (!*found) return std::nullopt;
  return out;
}

std::vector<const cached_entry*> keyed_cache::overlay(bytes_view from, bytes_view to) {
  std::vector<const cached_entry*> found;
  if (ordered_on_) {
    for (auto it = ordered_.lower_bound(from); it != ordered_.end(); ++it) {
      if (!to.empty() && (*it)->key() >= to) break;
      found.push_back(*it);
    }
  } else {
    const auto wanted = [&](const cached_entry& e) {
      return e.key() >= from && (to.empty() || e.key() < to);
    };
    for (const auto* e : dirty_) {
      if (wanted(*e)) found.push_back(e);
    }
    for (const auto* e : frozen_entries_) {
      if (!e->dirty && wanted(*e)) found.push_back(e);
    }
    sort_by_key(found, [](const cached_entry& e) { return e.key(); });
    // Worth it from the second scan since the last freeze on.
    if (scanned_ && dirty_.size() + frozen_entries_.size() > unordered_scan_limit) {
      ordered_.insert(dirty_.begin(), dirty_.end());
      ordered_.insert(frozen_entries_.begin(), frozen_entries_.end());
      ordered_on_ = true;
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
  auto next = changed.begin();
  bytes value;
  bool go_on = true;
  const auto give_next = [&] {
    const auto& e = **next++;
    if (encode_at(e, level, value)) go_on = f(e.key(), value);
  };
  auto ok = store_.scan(table_, from, to, [&](bytes_view key, bytes_view stored) {
    while (go_on && next != changed.end() && (*next)->key() < key) give_next();
    if (!go_on) return false;
    if (next != changed.end() && (*next)->key() == key) {
      give_next();
    } else {
      go_on = f(key, stored);
    }
    return go_on;
  });
  if (!ok) return ok;
  while (go_on && next != changed.end()) give_next();
  return {};
}

result<void> keyed_cache::scan_all(read_level level, const state_store::scan_fn& f) {
  bool go_on = true;
  auto ok = store_.scan_all(table_, [&](bytes_view key, bytes_view stored) {
    const auto* e = index_.find(key);
    if (e == nullptr || !overlays(*e)) go_on = f(key, stored);
    return go_on;
  });
  if (!ok) return ok;
  bytes value;
  const auto give = [&](const cached_entry& e) {
    if (go_on && encode_at(e, level, value)) go_on = f(e.key(), value);
  };
  for (const auto* e : dirty_) give(*e);
  for (const auto* e : frozen_entries_) {
    if (!e->dirty) give(*e);
  }
  return {};
}

}  // namespace kappa::detail
