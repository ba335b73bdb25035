#include "kappa/state/detail/keyed_cache.hpp"

#include <algorithm>
#include <memory>

#include "state/sort_by_key.hpp"

namespace kappa::detail {

namespace {

// A pointer and a byte of the index, at its usual load, and the slot's place on the clock's face.
constexpr std::size_t index_bytes_per_entry = 24;
// Enough per load to keep up with it, few enough not to be felt.
constexpr std::size_t evicted_per_load = 64;
// A durable epoch comes about every 100 ms: memory returns soon after a snapshot, in short pauses.
constexpr std::size_t evicted_per_epoch = 8192;

}  // namespace

keyed_cache::keyed_cache(state_store& store, std::size_t table, keyed_table_options options)
    : store_{store}, table_{table}, options_{options} {}

void keyed_cache::outside_step() { bug("state was changed outside a step"); }

void keyed_cache::begin_step(epoch_number open_epoch) {
  if (in_step_) bug("a step begins inside a step");
  if (open_epoch < open_epoch_) bug("a step's epoch is before an earlier step's");
  // (Replay steps again through epochs that are durable.)
  if (open_epoch <= frozen_epoch_ && open_epoch > durable_epoch_) {
    bug("a step belongs to an epoch that was frozen");
  }
  in_step_ = true;
  ++step_;
  open_epoch_ = open_epoch;
}

// ---- Entries ----------------------------------------------------------------------------------

std::size_t keyed_cache::overhead_bytes(const cached_entry& e) const {
  return entry_bytes() + heap_bytes(e.key) + index_bytes_per_entry;
}

void keyed_cache::add_free_entry(cached_entry& e) {
  entries_.push_back(&e);
  free_entries_.push_back(&e);
}

void keyed_cache::recharge(cached_entry& e, std::size_t encoded) {
  const auto now = overhead_bytes(e) + (e.present ? value_bytes(encoded) : 0);
  cached_bytes_ += now - e.charge;  // unsigned arithmetic wraps to the right sum
  if (e.dirty) dirty_bytes_ += now - e.charge;
  e.charge = now;
}

result<cached_entry*> keyed_cache::load(bytes_view key) {
  if (free_entries_.empty()) grow_entries();
  auto& e = *free_entries_.back();
  std::size_t encoded = 0;
  if (const auto* frozen = find_frozen(key)) {
    // The frozen set is newer than the store until its T2 has ended, and equal to it after.
    e.present = frozen->second.has_value();
    if (e.present) {
      encoded = frozen->second->size();
      if (auto ok = decode_value(e, *frozen->second); !ok) {
        return fail(errc::decode, store_.subject(table_, key), ok.error().text());
      }
    }
  } else {
    auto found = store_.get(table_, key, scratch_);
    if (!found) return fail(std::move(found.error()));
    e.present = *found;
    if (e.present) {
      encoded = scratch_.size();
      if (auto ok = decode_value(e, scratch_); !ok) {
        return fail(errc::decode, store_.subject(table_, key), ok.error().text());
      }
    }
  }
  free_entries_.pop_back();
  e.key.assign(key);
  e.hash = checksum(key);
  e.referenced = true;
  recharge(e, encoded);
  index_.insert(&e);
  last_ = &e;
  if (cached_bytes_ > options_.cache_bytes) evict(evicted_per_load, &e);
  return &e;
}

void keyed_cache::evict(std::size_t most, const cached_entry* keep) {
  for (; most > 0 && cached_bytes_ > options_.cache_bytes; --most) {
    if (hand_ >= entries_.size()) hand_ = 0;
    auto& e = *entries_[hand_++];
    // An old version is needed until its epoch is durable, and hangs on the entry.
    if (e.charge == 0 || overlays(e) || &e == keep) continue;
    if (e.referenced) {
      e.referenced = false;
      continue;
    }
    release_entry(e);
  }
}

void keyed_cache::release_entry(cached_entry& e) {
  index_.erase(&e);
  cached_bytes_ -= e.charge;
  if (last_ == &e) last_ = nullptr;
  clear_value(e);
  if (e.key.capacity() > 64) bytes{}.swap(e.key);
  e.key.clear();
  e.step = 0;
  e.epoch = epoch_number{};
  e.charge = 0;
  e.edits = 0;
  e.present = false;
  free_entries_.push_back(&e);
}

void keyed_cache::unmark_dirty(cached_entry& e) {
  if (dirty_.empty() || dirty_.back() != &e) bug("dirty marks are taken back out of order");
  dirty_.pop_back();
  dirty_bytes_ -= e.charge;
  e.dirty = false;
  if (e.key.size() > state_store::max_ordered_key_bytes) --dirty_long_keys_;
  unorder(e);
}

// ---- Versions ---------------------------------------------------------------------------------

cached_version& keyed_cache::push_version(cached_entry& e) {
  if (free_versions_.empty()) grow_versions();
  auto& v = *free_versions_.back();
  free_versions_.pop_back();
  v.entry = &e;
  v.epoch = open_epoch_;
  v.newer = nullptr;
  v.present = e.present;
  v.charge = version_bytes() + (e.present ? e.charge - overhead_bytes(e) : 0);
  kept_bytes_ += v.charge;
  (e.newest != nullptr ? e.newest->newer : e.oldest) = &v;
  e.newest = &v;
  v.queue_next = nullptr;
  v.queue_prev = last_version_;
  (last_version_ != nullptr ? last_version_->queue_next : first_version_) = &v;
  last_version_ = &v;
  e.epoch = open_epoch_;
  return v;
}

void keyed_cache::pop_version(cached_entry& e, epoch_number previous_epoch) {
  auto& v = *e.newest;
  if (&v != last_version_) bug("versions are taken back out of order");
  last_version_ = v.queue_prev;
  (last_version_ != nullptr ? last_version_->queue_next : first_version_) = nullptr;
  if (e.oldest == &v) {
    e.oldest = e.newest = nullptr;
  } else {
    auto* before = e.oldest;
    while (before->newer != &v) before = before->newer;
    before->newer = nullptr;
    e.newest = before;
  }
  e.epoch = previous_epoch;
  release_version(v);
  unorder(e);
}

void keyed_cache::release_version(cached_version& v) {
  kept_bytes_ -= v.charge;
  clear_version(v);
  free_versions_.push_back(&v);
}

void keyed_cache::durable(epoch_number e) {
  if (in_step_ && e >= open_epoch_) bug("an open epoch cannot be durable");
  if (e > durable_epoch_) durable_epoch_ = e;
  while (first_version_ != nullptr && first_version_->epoch <= e) {
    auto& v = *first_version_;
    first_version_ = v.queue_next;
    (first_version_ != nullptr ? first_version_->queue_prev : last_version_) = nullptr;
    auto& entry = *v.entry;  // its oldest: versions of a key are made in the order of epochs
    entry.oldest = v.newer;
    if (entry.oldest == nullptr) entry.newest = nullptr;
    release_version(v);
    unorder(entry);
  }
  if (!in_step_) evict(evicted_per_epoch);
}

// ---- Snapshots --------------------------------------------------------------------------------

// The dirty values are encoded here, at once, on the owner's thread, rather than kept decoded with
// copy on write: a later edit then needs no check for "frozen", the snapshot thread touches no
// user type, frozen values may be evicted like any clean one, and encoding costs less than the
// copies that hot keys would need anyway.
frozen_delta keyed_cache::freeze() {
  if (in_step_) bug("a table is frozen inside a step");
  if (frozen_ != nullptr) bug("a table is frozen twice");
  sort_by_key(dirty_, [](const cached_entry& e) -> const bytes& { return e.key; });
  auto delta = std::make_shared<table_delta>();
  delta->reserve(dirty_.size());
  std::size_t size = 0;
  for (auto* e : dirty_) {
    auto& [key, value] = delta->emplace_back(e->key, std::nullopt);
    size += sizeof(table_delta::value_type) + heap_bytes(key);
    if (e->present) {
      encode_value(*e, value.emplace());
      size += heap_bytes(*value);
    }
  }
  // Nothing below can fail: an encode that throws leaves the table as it was.
  for (std::size_t i = 0; i < dirty_.size(); ++i) {
    auto& e = *dirty_[i];
    const auto& value = (*delta)[i].second;
    recharge(e, value ? value->size() : 0);
    e.dirty = false;
    e.edits = 0;
  }
  dirty_.clear();
  dirty_bytes_ = 0;
  frozen_long_keys_ = dirty_long_keys_ > 0;
  dirty_long_keys_ = 0;
  frozen_bytes_ = size;
  frozen_epoch_ = open_epoch_;
  if (ordered_on_) {
    std::erase_if(ordered_, [](const cached_entry* e) { return !overlays(*e); });
    if (!scanned_) {
      ordered_.clear();
      ordered_on_ = false;
    }
  }
  scanned_ = false;
  frozen_ = std::move(delta);
  return frozen_;
}

void keyed_cache::thaw() {
  if (frozen_ == nullptr) bug("a table is thawed that is not frozen");
  frozen_.reset();
  frozen_bytes_ = 0;
  frozen_long_keys_ = false;
}

const std::pair<bytes, std::optional<bytes>>* keyed_cache::find_frozen(bytes_view key) const {
  if (frozen_ == nullptr) return nullptr;
  const auto it = first_not_before(*frozen_, key);
  return it != frozen_->end() && it->first == key ? &*it : nullptr;
}

}  // namespace kappa::detail
