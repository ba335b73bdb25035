// Claims about timer_table.

#include <set>

#include <boost/test/unit_test.hpp>

#include "state/state_support.hpp"
#include "support/sanitizer.hpp"

using namespace kappa;
using namespace kappa::test;

namespace {

timer at(std::int64_t ms, bytes key = "k", std::uint16_t op = 0) {
  return {timestamp{milliseconds{ms}}, op, std::move(key)};
}

template <class F>
void step(timer_table& t, F&& f) {
  t.begin_step(epoch_number{1});
  f();
  t.commit_step();
}

std::optional<timer> first(timer_table& t, std::int64_t limit = 1'000'000'000) {
  return must(t.first_due(timestamp{milliseconds{limit}}));
}

/// Fires all timers: what the engine does, one step each.
std::vector<timer> drained(timer_table& t) {
  std::vector<timer> out;
  while (auto due = first(t)) {
    step(t, [&] { t.remove(*due); });
    out.push_back(std::move(*due));
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(timer_table_claims)

BOOST_AUTO_TEST_CASE(encoded_timers_sort_as_timers_and_come_back) {
  const std::vector<timer> sorted{at(-5),
                                  at(0, ""),
                                  at(0, "a"),
                                  at(0, "a", 1),
                                  at(0, "", 2),
                                  at(0, "", 300),
                                  at(1, bytes(1, '\0')),
                                  at(1, "b")};
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    BOOST_TEST((decode_timer(encode_timer(sorted[i])) == sorted[i]));
    if (i > 0) BOOST_TEST((encode_timer(sorted[i - 1]) < encode_timer(sorted[i])));
  }
  BOOST_TEST(!decode_timer("short").has_value());
}

BOOST_AUTO_TEST_CASE(the_first_due_timer_is_the_smallest_at_or_before_the_limit) {
  map_store store;
  auto t = timer_table::create(store, 0);
  BOOST_TEST(!first(*t).has_value());
  step(*t, [&] {
    t->add(at(20));
    t->add(at(10, "b"));
    t->add(at(10, "a", 1));
    t->add(at(10, "c", 0));
    t->add(at(20));
  });
  BOOST_TEST(!first(*t, 9).has_value());
  BOOST_TEST((*first(*t, 10) == at(10, "b")));
  BOOST_TEST((drained(*t) == std::vector<timer>{at(10, "b"), at(10, "c"), at(10, "a", 1), at(20)}));
}

BOOST_AUTO_TEST_CASE(a_failed_step_leaves_no_trace_in_the_timers) {
  map_store store;
  commit(store, 1, {delta_of({{encode_timer(at(10)), ""}, {encode_timer(at(30)), ""}})});
  auto t = timer_table::create(store, 0);
  step(*t, [&] {
    t->add(at(20));
    t->remove(at(30));
  });
  const auto dirty = t->dirty_bytes();
  t->begin_step(epoch_number{1});
  t->remove(at(10));
  BOOST_TEST((*first(*t) == at(20)));  // looks past what it removed
  t->remove(at(20));
  t->add(at(30));
  t->add(at(5));
  t->add(at(10));
  t->remove(at(10));
  t->remove(at(77));  // never there
  BOOST_TEST((*first(*t) == at(5)));
  t->rollback_step();
  BOOST_TEST(t->dirty_bytes() == dirty);
  BOOST_TEST((drained(*t) == std::vector<timer>{at(10), at(20)}));
}

BOOST_AUTO_TEST_CASE(timers_are_right_between_freeze_and_thaw) {
  for (const bool committed_early : {false, true}) {
    map_store store;
    auto t = timer_table::create(store, 0);
    step(*t, [&] {
      for (const int ms : {10, 20, 30, 40}) t->add(at(ms));
    });
    commit(store, 1, {t->freeze()});
    t->thaw();
    step(*t, [&] {
      t->remove(at(10));
      t->add(at(15));
    });
    const auto frozen = t->freeze();
    const std::map<bytes, std::optional<bytes>> changes{{encode_timer(at(10)), std::nullopt},
                                                        {encode_timer(at(15)), ""}};
    BOOST_TEST((contents(frozen) == changes));
    BOOST_TEST(frozen->sorted());
    if (committed_early) commit(store, 2, {frozen});
    step(*t, [&] {
      t->add(at(12));
      t->remove(at(15));
      t->remove(at(20));
    });
    BOOST_TEST((*first(*t) == at(12)));
    if (!committed_early) commit(store, 2, {frozen});
    t->thaw();
    BOOST_TEST((drained(*t) == std::vector<timer>{at(12), at(30), at(40)}));
    commit(store, 3, {t->freeze()});
    BOOST_TEST(must(store.stats()).entries == 0U);
  }
}

BOOST_AUTO_TEST_CASE(a_timer_removed_and_added_again_after_a_freeze_fires_once) {
  map_store store;
  auto t = timer_table::create(store, 0);
  step(*t, [&] { t->add(at(10)); });
  const auto frozen = t->freeze();
  step(*t, [&] { t->remove(at(10)); });
  step(*t, [&] { t->add(at(10)); });
  commit(store, 1, {frozen});
  t->thaw();
  BOOST_TEST((drained(*t) == std::vector<timer>{at(10)}));
}

BOOST_AUTO_TEST_CASE(timers_of_long_keys_come_back_whole_and_in_one_order) {
  const temporary_folder folder;
  std::vector<timer> all;
  for (const std::size_t n : {399, 400, 401, 510, 5000}) {
    for (const char c : {'a', 'b', 'c'}) all.push_back(at(10, bytes(n, 'k') + c));
  }
  std::vector<timer> from_memory;
  std::vector<timer> from_disk;
  {
    auto store = opened(options_in(folder.path()));
    auto t = timer_table::create(*store, 0);
    step(*t, [&] {
      for (const auto& x : all) t->add(x);
    });
    commit(*store, 1, {t->freeze()});
    t->thaw();
    from_disk = drained(*t);
  }
  {
    map_store store;
    auto t = timer_table::create(store, 0);
    step(*t, [&] {
      for (const auto& x : all) t->add(x);
    });
    from_memory = drained(*t);
  }
  BOOST_TEST((from_disk == from_memory));
  BOOST_TEST((std::set<timer>{from_disk.begin(), from_disk.end()} ==
              std::set<timer>{all.begin(), all.end()}));
}

BOOST_AUTO_TEST_CASE(a_million_timers_are_fired_in_bounded_memory,
                     *boost::unit_test::label("memory")) {
  const temporary_folder folder;
  auto store = opened(options_in(folder.path()));
  auto t = timer_table::create(*store, 0);
  constexpr int count = kappa::test::sanitized ? 100'000 : 1'000'000;
  constexpr std::size_t limit = std::size_t{8} * count;
  std::uint64_t epoch = 0;
  std::size_t most = 0;
  const auto snapshot_when_large = [&] {
    if (t->dirty_bytes() < limit) return;
    const auto frozen = t->freeze();
    most = std::max(most, t->cache_bytes());
    commit(*store, ++epoch, {frozen});
    t->thaw();
  };
  for (int i = 0; i < count; ++i) {
    step(*t, [&] { t->add(at(1'000'000 + i * 7919LL % count / 100, "key-" + std::to_string(i))); });
    snapshot_when_large();
  }
  int fired = 0;
  timer last;
  last.time = min_time;
  while (auto due = first(*t)) {
    if (!(last < *due)) BOOST_FAIL("out of order");
    step(*t, [&] { t->remove(*due); });
    ++fired;
    last = std::move(*due);
    snapshot_when_large();
  }
  BOOST_TEST(fired == count);
  BOOST_TEST(epoch >= 10U);
  BOOST_TEST(most < 4 * limit);
  BOOST_TEST_MESSAGE("snapshots: " << epoch << ", largest: " << most << " bytes");
}

BOOST_AUTO_TEST_SUITE_END()
