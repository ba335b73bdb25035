#include "kappa/state/detail/keyed_cache.hpp"

#include <algorithm>
#include <limits>
#include <memory>

namespace kappa::detail {

namespace {

// A word of the index, at its usual load, and the entry's place on the clock's face.
constexpr std::size_t index_bytes_per_entry = 24;
// Enough per load to keep up with it, few enough not to be felt.
constexpr std::size_t evicted_per_load = 64;
// A durable epoch comes about every 100 ms: memory returns soon after a snapshot, in short pauses.
constexpr std::size_t evicted_per_epoch = 8192;
// How far a walk over cold entries asks for memory ahead.
constexpr std::size_t prefetched = 8;

}  // namespace

keyed_cache::keyed_cache(state_store& store, std::size_t table, keyed_table_options options,
                         value_sizes sizes)
    : store_{store}, table_{table}, options_{options}, sizes_{sizes} {}

void keyed_cache::outside_step() { bug("state was changed outside a step"); }

void keyed_cache::begin_step(epoch_number open_epoch) {
  if (in_step_) bug("a step begins inside a step");
  if (open_epoch < open_epoch_) bug("a step's epoch is before an earlier step's");
  if (open_epoch <= frozen_epoch_) bug("a step belongs to an epoch that was frozen");
  if (open_epoch <= durable_epoch_) bug("a step belongs to an epoch that is durable");
  in_step_ = true;
  ++step_;
  open_epoch_ = open_epoch;
}

std::size_t keyed_cache::frozen_bytes() const {
  return frozen_ != nullptr ? frozen_->memory_bytes() : 0;
}

std::size_t keyed_cache::cache_bytes() const {
  return cached_bytes_ + free_entries_.size() * sizes_.entry_bytes + kept_bytes_ + frozen_bytes();
}

// ---- Entries ----------------------------------------------------------------------------------

std::size_t keyed_cache::overhead_bytes(const cached_entry& e) const {
  const auto outside = e.key_size > cached_entry::inline_key_bytes ? e.key_size + 16 : 0;
  return sizes_.entry_bytes + outside + index_bytes_per_entry;
}

void keyed_cache::add_free_entry(cached_entry& e) {
  entries_.push_back(&e);
  free_entries_.push_back(&e);
}

void keyed_cache::recharge(cached_entry& e, std::size_t encoded) {
  auto now = overhead_bytes(e);
  // Decoded forms are larger than encoded ones, and each piece of memory has its header.
  if (e.present && !sizes_.fixed) now += encoded + encoded / 2 + 32;
  now = std::min<std::size_t>(now, std::numeric_limits<std::uint32_t>::max());
  cached_bytes_ += now - e.charge;  // unsigned arithmetic wraps to the right sum
  if (e.dirty) dirty_bytes_ += now - e.charge;
  e.charge = static_cast<std::uint32_t>(now);
}

result<cached_entry*> keyed_cache::load(bytes_view key) {
  if (free_entries_.empty()) grow_entries();
  auto& e = *free_entries_.back();
  // What a snapshot took stays cached until its T2 is durable: the store has the newest of the
  // rest.
  auto found = store_.get(table_, key, scratch_);
  if (!found) return fail(std::move(found.error()));
  if (*found) {
    if (auto ok = decode_value(e, scratch_); !ok) {
      return fail(errc::decode, store_.subject(table_, key), ok.error().text());
    }
  }
  e.set_key(key);
  index_.insert(e);  // what may fail is done: from here on the entry is there as a whole
  free_entries_.pop_back();
  e.present = *found;
  e.referenced = true;
  recharge(e, scratch_.size());
  last_ = &e;
  if (cached_bytes_ > options_.cache_bytes) evict(evicted_per_load, &e);
  return &e;
}

void keyed_cache::evict(std::size_t most, const cached_entry* keep) {
  for (; most > 0 && cached_bytes_ > options_.cache_bytes; --most) {
    if (hand_ >= entries_.size()) hand_ = 0;
    auto& e = *entries_[hand_++];
    if (&e != keep) evict_unless_used(e);
  }
}

void keyed_cache::evict_unless_used(cached_entry& e) {
  if (e.charge == 0 || overlays(e)) return;
  if (e.referenced) {
    e.referenced = false;
  } else {
    release_entry(e);
  }
}

// Once around in the time that makes a value idle, in pauses that are not felt.
void keyed_cache::release_idle(timestamp now) {
  if (now < next_idle_look()) return;
  const auto all = entries_.size();
  for (auto left = std::min(all, evicted_per_epoch); left > 0; --left) {
    if (idle_hand_ >= all) idle_hand_ = 0;
    evict_unless_used(*entries_[idle_hand_++]);
  }
  const auto looks = (all + evicted_per_epoch - 1) / evicted_per_epoch;
  next_idle_look_ =
      now + std::max(options_.idle / static_cast<std::int64_t>(looks), milliseconds{1});
}

timestamp keyed_cache::next_idle_look() const {
  return options_.idle.count() == 0 || cached_bytes_ == 0 ? max_time : next_idle_look_;
}

void keyed_cache::release_entry(cached_entry& e) {
  index_.erase(e);
  cached_bytes_ -= e.charge;
  if (last_ == &e) last_ = nullptr;
  expected_.forget(e);
  clear_value(e);
  e.clear_key();
  e.present = false;
  e.step = 0;
  e.epoch = epoch_number{};
  e.newest = nullptr;
  e.freeze = 0;
  e.charge = 0;
  e.edits = 0;
  free_entries_.push_back(&e);
}

void keyed_cache::unmark_dirty(cached_entry& e) {
  if (dirty_.empty() || dirty_.back() != &e) bug("dirty marks are taken back out of order");
  dirty_.pop_back();
  dirty_bytes_ -= e.charge;
  e.dirty = false;
  if (e.key_size > state_store::max_ordered_key_bytes) --dirty_long_keys_;
  if (ordered_on_ && !is_frozen(e)) ordered_.erase(&e);
}

// ---- Versions ---------------------------------------------------------------------------------

// Versions are made epoch by epoch and forgotten epoch by epoch, all of one at once and without a
// look at their entries: an entry's pointer is void when its epoch is durable.

cached_version& keyed_cache::push_version(cached_entry& e) {
  if (kept_.empty() || kept_.back().epoch != open_epoch_) kept_.push_back({open_epoch_, 0, 0});
  auto& v = new_version();  // the last that may fail
  v.epoch = open_epoch_;
  v.older = e.newest;
  v.older_epoch = e.epoch;
  v.present = e.present;
  v.charge = sizes_.version_bytes + (e.present ? e.charge - overhead_bytes(e) : 0);
  ++kept_.back().versions;
  kept_.back().bytes += v.charge;
  kept_bytes_ += v.charge;
  e.newest = &v;
  e.epoch = open_epoch_;
  return v;
}

void keyed_cache::pop_version(cached_entry& e) {
  const auto& v = *e.newest;
  --kept_.back().versions;
  kept_.back().bytes -= v.charge;
  kept_bytes_ -= v.charge;
  e.epoch = v.older_epoch;
  e.newest = v.older;
  drop_last_version();
}

void keyed_cache::durable(epoch_number e) {
  if (in_step_ && e >= open_epoch_) bug("an open epoch cannot be durable");
  durable_epoch_ = std::max(durable_epoch_, e);
  for (; !kept_.empty() && kept_.front().epoch <= e; kept_.pop_front()) {
    kept_bytes_ -= kept_.front().bytes;
    drop_first_versions(kept_.front().versions);
  }
  if (!in_step_) evict(evicted_per_epoch);
}

bool keyed_cache::encode_at(const cached_entry& e, read_level level, bytes& out) const {
  out.clear();
  if (level == read_level::latest || e.epoch <= durable_epoch_) {
    if (e.present) encode_value(e, out);
    return e.present;
  }
  // The oldest of the versions that are left holds the value of the last durable epoch.
  const auto* v = e.newest;
  while (v->older_epoch > durable_epoch_) v = v->older;
  if (v->present) encode_version(*v, out);
  return v->present;
}

// ---- Snapshots --------------------------------------------------------------------------------

// The dirty values are encoded here, at once, on the owner's thread, rather than kept decoded with
// copy on write: then an edit needs no check for "frozen" and no copy for it, and the snapshot
// thread touches no user type. The copies that copy on write would make of hot keys cost as much as
// the encoding. Sorting, which costs more than both, is left to the snapshot thread.
frozen_delta keyed_cache::freeze() {
  if (in_step_) bug("a table is frozen inside a step");
  if (frozen_ != nullptr) bug("a table is frozen twice");
  auto delta = std::make_shared<table_delta>();
  delta->reserve(dirty_.size());
  std::size_t done = 0;
  try {
    for (; done < dirty_.size(); ++done) {
      if (done + prefetched < dirty_.size()) {
        const auto* ahead = reinterpret_cast<const char*>(dirty_[done + prefetched]);
        __builtin_prefetch(ahead);
        __builtin_prefetch(ahead + 64);
      }
      auto& e = *dirty_[done];
      scratch_.clear();
      if (e.present) encode_value(e, scratch_);
      delta->add(e.key(), e.present ? std::optional<bytes_view>{scratch_} : std::nullopt);
      if (!sizes_.fixed) recharge(e, scratch_.size());
      e.dirty = false;
      e.edits = 0;
      e.freeze = freezes_ + 1;
    }
  } catch (...) {  // the user's codec: all stays as it was
    while (done-- > 0) {
      dirty_[done]->dirty = true;
      dirty_[done]->freeze = 0;
    }
    throw;
  }
  ++freezes_;
  frozen_entries_.swap(dirty_);
  dirty_.clear();
  dirty_bytes_ = 0;
  frozen_long_keys_ = dirty_long_keys_ > 0;
  dirty_long_keys_ = 0;
  frozen_epoch_ = open_epoch_;
  if (!scanned_) {
    ordered_.clear();
    ordered_on_ = false;
  }
  scanned_ = false;
  frozen_ = std::move(delta);
  return frozen_;
}

void keyed_cache::thaw() {
  if (frozen_ == nullptr) bug("a table is thawed that is not frozen");
  frozen_.reset();
  thawed_ = freezes_;
  frozen_long_keys_ = false;
  frozen_entries_.clear();
  if (ordered_on_) {
    ordered_.clear();
    ordered_.insert(dirty_.begin(), dirty_.end());
  }
  durable(frozen_epoch_);  // T2 follows T1
}

}  // namespace kappa::detail
