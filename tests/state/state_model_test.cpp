// Random steps, roll-backs, epochs, snapshots and crashes against models that are plainly right.
//
// A T2 may become visible at any moment between freeze and thaw, so the model test commits it at a
// random one. A crash drops tables and store; what must be there afterwards is the last T2.

#include <deque>
#include <map>
#include <set>

#include <boost/test/unit_test.hpp>

#include "state/state_support.hpp"
#include "support/sanitizer.hpp"

using namespace kappa;
using namespace kappa::test;

namespace {

class random {
 public:
  explicit random(std::uint64_t seed) : engine_{seed} {}
  std::uint64_t below(std::uint64_t n) { return engine_() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

 private:
  std::mt19937_64 engine_;
};

using model = std::map<bytes, bytes>;

bytes random_key(random& r) {
  // Few, so that they collide; the empty one, and prefixes of each other.
  const auto n = r.below(300);
  return n == 0 ? bytes{} : bytes(n % 4, 'p') + std::to_string(n);
}

struct keyed_trial {
  random r;
  temporary_folder folder;
  std::unique_ptr<state_store> store;
  std::unique_ptr<keyed_table<std::string>> table;
  model now;                                           // newest
  std::deque<std::pair<std::uint64_t, model>> closed;  // state at the end of epochs not yet durable
  model durable;                                       // what queries see
  model on_disk;                                       // as of the last T2
  model frozen;                                        // as of the frozen epoch
  frozen_delta delta;
  std::uint64_t frozen_epoch = 0;
  bool visible = false;  // the frozen delta's T2 has ended
  std::uint64_t epoch = 1;

  explicit keyed_trial(std::uint64_t seed) : r{seed} { open(); }

  void open() {
    store = opened(options_in(folder.path()));
    table = std::make_unique<keyed_table<std::string>>(
        *store, 0, keyed_table_options{.cache_bytes = r.one_in(2) ? 1U : 20'000U});
  }

  void some_step() {
    table->begin_step(epoch_number{epoch});
    auto after = now;
    for (auto n = r.below(6); n-- > 0;) {
      const auto key = random_key(r);
      if (r.one_in(4)) {
        must(table->erase(key));
        after.erase(key);
      } else if (r.one_in(5)) {
        check_find(key, after);
      } else {
        auto* v = must(table->edit(key));
        BOOST_REQUIRE(*v == after[key]);
        v->append(r.below(40), static_cast<char>('a' + r.below(26)));
        if (v->size() > 100) v->clear();
        after[key] = *v;
      }
    }
    if (r.one_in(5)) {
      table->rollback_step();
    } else {
      table->commit_step();
      now = std::move(after);
    }
  }

  void check_find(const bytes& key, const model& m) {
    const auto* v = must(table->find(key));
    const auto it = m.find(key);
    BOOST_REQUIRE((v != nullptr) == (it != m.end()));
    if (v != nullptr) BOOST_REQUIRE(*v == it->second);
  }

  void check_read(read_level level) {
    const auto& m = level == read_level::latest ? now : durable;
    const auto key = random_key(r);
    const auto v = must(table->read(key, level));
    const auto it = m.find(key);
    BOOST_REQUIRE(v.has_value() == (it != m.end()));
    if (v) BOOST_REQUIRE(*v == it->second);
  }

  void check_scan(read_level level) {
    const auto& m = level == read_level::latest ? now : durable;
    auto from = random_key(r);
    auto to = r.one_in(3) ? bytes{} : random_key(r);
    if (!to.empty() && to < from) std::swap(from, to);
    auto it = m.lower_bound(from);
    const auto end = to.empty() ? m.end() : m.lower_bound(to);
    auto left = r.one_in(3) ? r.below(10) + 1 : 1'000'000;
    bool stopped = false;
    must(table->scan(from, to, level, [&](bytes_view k, bytes_view v) {
      BOOST_REQUIRE(!stopped);
      BOOST_REQUIRE(it != end);
      BOOST_REQUIRE(k == it->first);
      BOOST_REQUIRE(v == it->second);
      ++it;
      stopped = --left == 0;
      return !stopped;
    }));
    BOOST_REQUIRE((stopped || it == end));
    model all;
    must(table->scan_all(level, [&](bytes_view k, bytes_view v) {
      BOOST_REQUIRE(all.emplace(k, v).second);
      return true;
    }));
    BOOST_REQUIRE((all == m));
  }

  void close_epoch() { closed.emplace_back(epoch++, now); }

  void make_durable() {
    if (closed.empty()) return;
    auto [e, m] = std::move(closed.front());
    closed.pop_front();
    durable = std::move(m);
    table->durable(epoch_number{e});
  }

  void freeze() {
    if (delta != nullptr) return;
    close_epoch();
    delta = table->freeze();
    frozen = now;
    frozen_epoch = epoch - 1;
    visible = false;
  }

  void snapshot_goes_on() {
    if (delta == nullptr) return;
    if (!closed.empty() && closed.front().first <= frozen_epoch) {
      make_durable();  // T2 follows T1
    } else if (!visible) {
      commit(*store, frozen_epoch, {delta});
      on_disk = frozen;
      visible = true;
    } else {
      table->thaw();
      delta.reset();
    }
  }

  void crash() {
    table.reset();
    store.reset();
    delta.reset();
    closed.clear();
    open();
    now = durable = on_disk;
    epoch = store->epoch().value + 1;
    const auto dump = must(dump_table(*store, 0));
    BOOST_REQUIRE((model{dump.begin(), dump.end()} == on_disk));
  }

  void run(int actions) {
    for (int i = 0; i < actions; ++i) {
      const auto level = r.one_in(2) ? read_level::latest : read_level::committed;
      switch (r.below(32)) {
        case 0:
          close_epoch();
          break;
        case 1:
          make_durable();
          break;
        case 2:
          freeze();
          break;
        case 3:
        case 4:
        case 5:
        case 6:
          snapshot_goes_on();
          break;
        case 7:
          check_scan(level);
          break;
        case 8:
        case 9:
        case 10:
          check_read(level);
          break;
        case 11:
        case 12:
          check_find(random_key(r), now);
          break;
        case 13:
          if (r.one_in(20)) crash();
          break;
        default:
          some_step();
          break;
      }
    }
  }
};

struct timer_trial {
  random r;
  temporary_folder folder;
  std::unique_ptr<state_store> store;
  std::unique_ptr<timer_table> table;
  std::set<timer> now;
  std::vector<std::pair<timer, bool>> undo;  // of this step; true: it was there
  std::set<timer> on_disk;
  std::set<timer> frozen;
  frozen_delta delta;
  bool visible = false;
  std::uint64_t epoch = 0;
  std::int64_t clock = 0;

  explicit timer_trial(std::uint64_t seed) : r{seed} { open(); }

  void open() {
    store = opened(options_in(folder.path()));
    table = timer_table::create(*store, 0);
    now = on_disk;
    epoch = store->epoch().value;
  }

  timer random_timer() {
    timer t;
    t.time = timestamp{milliseconds{clock - 20 + static_cast<std::int64_t>(r.below(200))}};
    t.op = static_cast<std::uint16_t>(r.below(3));
    t.key = bytes(r.one_in(10) ? 420 : r.below(3), 'k') + std::to_string(r.below(5));
    return t;
  }

  void check_first() {
    const auto& m = now;
    const auto limit =
        r.one_in(2) ? max_time
                    : timestamp{milliseconds{clock + static_cast<std::int64_t>(r.below(100))}};
    const auto due = must(table->first_due(limit));
    // Long keys of one time and operator come in an order of their own.
    const bool none = m.empty() || m.begin()->time > limit;
    BOOST_REQUIRE(due.has_value() == !none);
    if (!due) return;
    BOOST_REQUIRE(m.contains(*due));
    BOOST_REQUIRE(due->time == m.begin()->time);
    BOOST_REQUIRE(due->op == m.begin()->op);
    if (m.begin()->key.size() < 400 || due->key.size() < 400) BOOST_REQUIRE(*due == *m.begin());
  }

  void add(const timer& t) {
    table->add(t);
    if (now.insert(t).second) undo.emplace_back(t, false);
  }
  void remove(const timer& t) {
    table->remove(t);
    if (now.erase(t) > 0) undo.emplace_back(t, true);
  }

  void some_step() {
    table->begin_step(epoch_number{epoch + 1});
    undo.clear();
    for (auto n = r.below(8); n-- > 0;) {
      switch (r.below(4)) {
        case 0: {  // fire
          const auto due = must(table->first_due(max_time));
          BOOST_REQUIRE(due.has_value() == !now.empty());
          if (!due) break;
          BOOST_REQUIRE(now.contains(*due));
          remove(*due);
          clock = std::max(clock, std::int64_t{due->time.time_since_epoch().count()});
          break;
        }
        case 1:
          remove(random_timer());
          break;
        case 2:
          add(random_timer());
          break;
        default:
          check_first();
          break;
      }
    }
    if (r.one_in(4)) {
      table->rollback_step();
      for (auto u = undo.rbegin(); u != undo.rend(); ++u) {
        if (u->second) {
          now.insert(u->first);
        } else {
          now.erase(u->first);
        }
      }
    } else {
      table->commit_step();
    }
  }

  void run(int actions) {
    for (int i = 0; i < actions; ++i) {
      switch (r.below(16)) {
        case 0:
          if (delta == nullptr) {
            delta = table->freeze();
            ++epoch;
            frozen = now;
            visible = false;
          }
          break;
        case 1:
        case 2:
          if (delta == nullptr) break;
          if (!visible) {
            commit(*store, epoch, {delta});
            on_disk = frozen;
            visible = true;
          } else {
            table->thaw();
            delta.reset();
          }
          break;
        case 3:
          if (!r.one_in(20)) break;
          table.reset();
          store.reset();
          delta.reset();
          open();
          break;
        case 4:
        case 5:
          check_first();
          break;
        case 6: {  // a burst, to go past the read-ahead
          if (!r.one_in(30)) break;
          table->begin_step(epoch_number{epoch + 1});
          for (int n = 0; n < 3000; ++n) {
            auto t = random_timer();
            t.key += std::to_string(n);
            add(t);
          }
          table->commit_step();
          break;
        }
        default:
          some_step();
          break;
      }
    }
    std::set<timer> left;
    while (auto due = must(table->first_due(max_time))) {
      table->begin_step(epoch_number{epoch + 1});
      table->remove(*due);
      table->commit_step();
      BOOST_REQUIRE(left.insert(std::move(*due)).second);
    }
    BOOST_REQUIRE((left == now));
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(state_models)

BOOST_AUTO_TEST_CASE(a_keyed_table_is_as_its_model_through_steps_epochs_snapshots_and_crashes) {
  for (std::uint64_t seed = 1; seed <= kappa::test::repetitions(15); ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) { keyed_trial{seed}.run(4000); }
  }
}

BOOST_AUTO_TEST_CASE(a_timer_table_is_as_its_model_through_steps_snapshots_and_crashes) {
  for (std::uint64_t seed = 1; seed <= kappa::test::repetitions(15); ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) { timer_trial{seed}.run(4000); }
  }
}

BOOST_AUTO_TEST_SUITE_END()
