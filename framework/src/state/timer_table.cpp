#include "kappa/state/timer_table.hpp"

#include <algorithm>
#include <deque>
#include <set>
#include <vector>

#include <boost/unordered/unordered_flat_set.hpp>

#include "state/kept_timer.hpp"
#include "state/sort_by_key.hpp"

namespace kappa {

namespace {

using detail::give_back;
using detail::heap_bytes;
using detail::keep;
using detail::kept_timer;

constexpr std::size_t read_ahead = 1024;

struct place_before {
  using is_transparent = void;
  bool operator()(const kept_timer& a, const kept_timer& b) const { return a.place < b.place; }
  bool operator()(const kept_timer& a, bytes_view b) const { return a.place < b; }
  bool operator()(bytes_view a, const kept_timer& b) const { return a < b.place; }
};
struct place_hash {
  using is_transparent = void;
  using is_avalanching = void;
  std::size_t operator()(bytes_view place) const { return checksum(place); }
};
struct place_equal {
  using is_transparent = void;
  bool operator()(bytes_view a, bytes_view b) const { return a == b; }
};

// The timers are base + added - removed, where the base is the frozen set over the store.
//
// Everything before the read-ahead's front in the base is removed, so first_due never passes over
// removed timers twice, whether or not a snapshot has deleted them. `resume_` is where the base
// goes on behind the read-ahead.
class the_timer_table final : public timer_table {
 public:
  the_timer_table(state_store& store, std::size_t table) : store_{store}, table_{table} {}

  void begin_step(epoch_number open_epoch) override {
    if (in_step_) bug("a step begins inside a step");
    last_epoch_ = open_epoch;
    in_step_ = true;
  }

  void commit_step() override {
    require_step();
    undo_.clear();
    passed_.clear();
    in_step_ = false;
  }

  void rollback_step() override {
    require_step();
    for (auto u = undo_.rbegin(); u != undo_.rend(); ++u) {
      if (u->was != standing::added) drop_added(u->timer.place);
      if (u->was != standing::removed) drop_removed(u->timer.place);
      if (u->was == standing::added)
        put_added(std::move(u->timer));
      else if (u->was == standing::removed)
        put_removed(u->timer.place);
    }
    // What the failed step's look for due timers passed over as removed.
    for (auto p = passed_.rbegin(); p != passed_.rend(); ++p) ahead_.push_front(std::move(*p));
    undo_.clear();
    passed_.clear();
    in_step_ = false;
  }

  epoch_number last_epoch() const override { return last_epoch_; }
  void durable(epoch_number) override {}

  void add(const timer& t) override {
    require_step();
    auto k = keep(t);
    if (added_.contains(k)) return;
    const bool was_removed = drop_removed(k.place);
    undo_.push_back({k, was_removed ? standing::removed : standing::base});
    // Whether the base has it too is not looked up: to write it once more does no harm.
    put_added(std::move(k));
  }

  void remove(const timer& t) override {
    require_step();
    auto k = keep(t);
    if (is_removed(k.place)) return;
    const bool was_added = drop_added(k.place);
    put_removed(k.place);
    undo_.push_back({std::move(k), was_added ? standing::added : standing::base});
  }

  result<std::optional<timer>> first_due(timestamp limit) override {
    for (;;) {
      while (!ahead_.empty() && is_removed(ahead_.front().place)) {
        if (in_step_) passed_.push_back(std::move(ahead_.front()));
        ahead_.pop_front();
      }
      if (!ahead_.empty() || base_ended_) break;
      if (auto ok = fill(); !ok) return fail(std::move(ok.error()));
    }
    const kept_timer* first = ahead_.empty() ? nullptr : &ahead_.front();
    if (!added_.empty() && (first == nullptr || *added_.begin() < *first)) {
      first = &*added_.begin();
    }
    if (first == nullptr) return std::nullopt;
    // Asked for each record: a timer that is not due costs no allocation.
    const auto time = read_ordered(first->place);
    if (time && timestamp{milliseconds{*time}} > limit) return std::nullopt;
    auto t = give_back(first->place, first->rest);
    if (!t) return fail(errc::corrupt, store_.subject(table_, first->place), "is no timer");
    return t;
  }

  frozen_delta freeze() override {
    if (in_step_) bug("a table is frozen inside a step");
    if (frozen_ != nullptr) bug("a table is frozen twice");
    // The base becomes what is now base + added - removed; its first timer may be a new one.
    while (!ahead_.empty() && is_removed(ahead_.front().place)) {
      ahead_.pop_front();
    }
    if (!ahead_.empty()) {
      resume_ = ahead_.front().place;
      base_ended_ = false;
    }
    if (!added_.empty() && (base_ended_ || added_.begin()->place < resume_)) {
      resume_ = added_.begin()->place;
      base_ended_ = false;
    }
    ahead_.clear();

    std::vector<const bytes*> removed;
    removed.reserve(removed_.size());
    for (const auto& place : removed_) removed.push_back(&place);
    detail::sort_by_key(removed, [](const bytes& place) -> bytes_view { return place; });
    auto delta = std::make_shared<table_delta>();
    delta->reserve(added_.size() + removed.size());
    auto next_removed = removed.begin();
    for (const auto& k : added_) {
      while (next_removed != removed.end() && **next_removed < k.place) {
        delta->add(**next_removed++, std::nullopt);
      }
      delta->add(k.place, k.rest);
    }
    while (next_removed != removed.end()) delta->add(**next_removed++, std::nullopt);
    added_.clear();
    removed_ = {};
    dirty_bytes_ = 0;
    frozen_ = std::move(delta);
    return frozen_;
  }

  void thaw() override {
    if (frozen_ == nullptr) bug("a table is thawed that is not frozen");
    frozen_.reset();
  }

  std::size_t dirty_bytes() const override { return dirty_bytes_; }
  std::size_t frozen_bytes() const override {
    return frozen_ != nullptr ? frozen_->memory_bytes() : 0;
  }
  std::size_t cache_bytes() const override {
    return dirty_bytes_ + frozen_bytes() + ahead_.size() * (sizeof(kept_timer) + 32);
  }

 private:
  enum class standing { base, added, removed };  // what the table said of it before
  struct undo {
    kept_timer timer;
    standing was;
  };

  static std::size_t added_bytes(const kept_timer& k) {
    return sizeof(kept_timer) + 48 + heap_bytes(k.place) + heap_bytes(k.rest);
  }
  static std::size_t removed_bytes(bytes_view place) {
    return 2 * sizeof(bytes) + heap_bytes(place);
  }

  void require_step() const {
    if (!in_step_) bug("timers were changed outside a step");
  }
  bool is_removed(bytes_view place) const { return !removed_.empty() && removed_.contains(place); }
  void put_added(kept_timer k) {
    dirty_bytes_ += added_bytes(k);
    added_.insert(std::move(k));
  }
  bool drop_added(bytes_view place) {
    const auto it = added_.find(place);
    if (it == added_.end()) return false;
    dirty_bytes_ -= added_bytes(*it);
    added_.erase(it);
    return true;
  }
  void put_removed(const bytes& place) {
    dirty_bytes_ += removed_bytes(place);
    removed_.insert(place);
  }
  bool drop_removed(bytes_view place) {
    const auto it = removed_.find(place);
    if (it == removed_.end()) return false;
    dirty_bytes_ -= removed_bytes(place);
    removed_.erase(it);
    return true;
  }

  /// Reads the base from `resume_` on into the (empty) read-ahead. The frozen set wins over the
  /// store, which may or may not have it yet.
  result<void> fill() {
    static const table_delta none;
    const auto& frozen = frozen_ != nullptr ? *frozen_ : none;
    auto next_frozen = frozen.first_not_before(resume_);
    bytes last;  // the last place that was looked at
    std::size_t looked_at = 0;
    const auto full = [&] { return ahead_.size() >= read_ahead || looked_at >= 8 * read_ahead; };
    const auto take_next_frozen = [&] {
      const auto change = frozen[next_frozen++];
      ++looked_at;
      last = change.key;
      if (change.value) ahead_.push_back({bytes{change.key}, bytes{*change.value}});
    };
    bool more = false;
    auto ok = store_.scan(table_, resume_, {}, [&](bytes_view place, bytes_view rest) {
      while (!full() && next_frozen < frozen.size() && frozen.key(next_frozen) < place) {
        take_next_frozen();
      }
      if (full()) {
        more = true;
        return false;
      }
      if (next_frozen < frozen.size() && frozen.key(next_frozen) == place) {
        take_next_frozen();
      } else {
        ++looked_at;
        last = place;
        ahead_.push_back({bytes{place}, bytes{rest}});
      }
      return true;
    });
    if (!ok) return ok;
    while (!more && next_frozen < frozen.size()) {
      if (full())
        more = true;
      else
        take_next_frozen();
    }
    base_ended_ = !more;
    if (more) {
      resume_ = std::move(last);
      resume_.push_back('\0');  // the next place after it
    }
    return {};
  }

  state_store& store_;
  const std::size_t table_;
  bool in_step_ = false;
  epoch_number last_epoch_;

  std::set<kept_timer, place_before> added_;  // since the last freeze; disjoint from removed_
  boost::unordered_flat_set<bytes, place_hash, place_equal> removed_;
  frozen_delta frozen_;
  std::deque<kept_timer> ahead_;
  bytes resume_;
  bool base_ended_ = false;

  std::vector<undo> undo_;
  std::vector<kept_timer> passed_;  // in this step, from the read-ahead's front
  std::size_t dirty_bytes_ = 0;
};

}  // namespace

std::unique_ptr<timer_table> timer_table::create(state_store& store, std::size_t table) {
  return std::make_unique<the_timer_table>(store, table);
}

}  // namespace kappa
