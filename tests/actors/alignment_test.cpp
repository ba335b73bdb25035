#include <atomic>
#include <future>

#include "actors/actors_support.hpp"
#include "actors/aligner.hpp"
#include "kappa/core/partitioner.hpp"

namespace actors_test {
using kappa::detail::aligner;

BOOST_AUTO_TEST_SUITE(alignment)

namespace {

const auto start = ts("2001-01-01T00:00");

/// A minute of event time apart.
void send_minutes(world& w, int n, partition to, std::string place) {
  record_batch batch;
  for (int i = 0; i < n; ++i) {
    const reading r{place, start + i * 1min, i};
    batch.add(r.at, bytes_view{r.place}, bytes_view{encoded(r)});
  }
  must(w.log->append({"readings", to}, batch));
}

struct two_places {
  std::atomic<std::int64_t> fast{-1};
  std::atomic<std::int64_t> slow{-1};
  std::promise<void> go_on;
  std::shared_future<void> may_go_on = go_on.get_future().share();

  /// The slow one waits at minute `stop`.
  misbehave held_at(std::int64_t stop) {
    return [this, stop](const reading& r) {
      if (r.place == "fast") {
        fast = r.value;
        return;
      }
      slow = r.value;
      if (r.value == stop) may_go_on.wait();
    };
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_member_may_go_as_far_as_the_slowest_that_has_work_plus_the_drift) {
  aligner a{1h, 3};
  int woken = 0;
  a.connect(0, [&] { ++woken; });
  BOOST_TEST((a.limit() == min_time));  // nothing is known of anyone yet
  (void)a.report(1, start, true, false);
  BOOST_TEST((a.report(2, start + 2h, true, false) == min_time));
  BOOST_TEST((a.report(0, start + 3h, true, true) == start + 1h));
  // All have reported: the slowest is at `start`.
  BOOST_TEST((a.limit() == start + 1h));
  BOOST_TEST(woken == 0);
  (void)a.report(1, start + 90min, true, false);
  BOOST_TEST(woken == 0);
  (void)a.report(1, start + 2h, true, false);
  BOOST_TEST(woken == 1);
  (void)a.report(0, start + 10h, true, true);
  (void)a.report(1, start + 2h, false, false);  // nothing to read: it holds nobody back
  BOOST_TEST(woken == 1);
  a.leave(2);
  BOOST_TEST(woken == 2);  // alone
}

BOOST_AUTO_TEST_CASE(a_member_that_paused_while_the_others_caught_up_is_woken_at_once) {
  aligner a{1h, 2};
  int woken = 0;
  a.connect(0, [&] { ++woken; });
  (void)a.report(1, start + 5h, true, false);
  (void)a.report(0, start + 5h, true, true);
  BOOST_TEST(woken == 1);
  a.end(0);
  (void)a.report(0, start + 9h, true, true);
  (void)a.report(1, start + 9h, true, false);
  BOOST_TEST(woken == 1);
}

BOOST_AUTO_TEST_CASE(
    a_task_pauses_when_it_is_more_than_the_drift_ahead_and_goes_on_with_the_other) {
  world w{2};
  send_minutes(w, 600, partition{0}, "fast");
  send_minutes(w, 600, partition{1}, "slow");
  auto o = w.options();
  o.max_drift = 1h;
  two_places p;
  host h{sums_app(p.held_at(100)), o};
  must(h.start());
  BOOST_REQUIRE(eventually([&] { return p.slow == 100; }));
  // The slow one has told at least nothing and at most minute 99.
  BOOST_REQUIRE(eventually([&] { return p.fast >= 0; }));
  BOOST_TEST(!eventually([&] { return p.fast > 100 + 60; }, 300ms));
  p.go_on.set_value();
  BOOST_TEST(eventually([&] { return p.fast == 599 && p.slow == 599; }));
}

BOOST_AUTO_TEST_CASE(without_a_drift_tasks_go_as_they_can) {
  world w{2};
  send_minutes(w, 600, partition{0}, "fast");
  send_minutes(w, 600, partition{1}, "slow");
  auto o = w.options();
  o.max_drift = 0ms;
  two_places p;
  host h{sums_app(p.held_at(0)), o};
  must(h.start());
  BOOST_TEST(eventually([&] { return p.fast == 599; }));
  p.go_on.set_value();
}

BOOST_AUTO_TEST_CASE(a_sibling_without_anything_to_read_holds_nobody_back) {
  world w{3};
  send_minutes(w, 600, partition{0}, "fast");
  send_minutes(w, 10, partition{1}, "slow");  // partition 2 stays empty, and is not declared idle
  two_places p;
  host h{sums_app(p.held_at(-1)), w.options()};
  must(h.start());
  BOOST_TEST(eventually([&] { return p.fast == 599 && p.slow == 9; }));
  // The quiet one gets something old: it is taken at once.
  send_minutes(w, 20, partition{1}, "slow");
  BOOST_TEST(eventually([&] { return p.slow == 19; }));
}

BOOST_AUTO_TEST_CASE(siblings_that_have_finished_hold_nobody_back) {
  world w{3};
  send_minutes(w, 600, partition{0}, "fast");
  send_minutes(w, 10, partition{1}, "slow");
  auto o = w.options();
  o.until_end = true;
  host h{sums_app(), o};
  must(h.start());
  BOOST_TEST(must(h.wait_finished(30s)));
  BOOST_TEST(w.read<totals>("sums").size() == 610u);
}

BOOST_AUTO_TEST_CASE(a_sibling_in_quarantine_holds_nobody_back) {
  world w{2};
  send_minutes(w, 600, partition{0}, "fast");
  send_minutes(w, 600, partition{1}, "slow");
  w.log->damage({"readings", partition{1}}, offset{0});
  auto o = w.options();
  o.failures_until_quarantine = 2;
  two_places p;
  host h{sums_app(p.held_at(-1)), o};
  must(h.start());
  BOOST_TEST(eventually([&] { return p.fast == 599; }));
  BOOST_TEST((status_of(h, "sum", 1).health == task_health::quarantined));
}

BOOST_AUTO_TEST_CASE(siblings_that_replay_catch_up_and_everything_goes_on) {
  world w{2};
  send_minutes(w, 600, partition{0}, "fast");
  send_minutes(w, 600, partition{1}, "slow");
  {
    host h{sums_app(), w.options()};
    must(h.start());
    BOOST_REQUIRE(processed(h, "sum", 1200));
    must(h.stop());
  }
  std::filesystem::remove_all(w.folder.path() / "state" / "sums" / "sum.g1" / "1");
  send_minutes(w, 600, partition{0}, "fast");
  send_minutes(w, 600, partition{1}, "slow");
  host h{sums_app(), w.options()};
  must(h.start());
  BOOST_REQUIRE(processed(h, "sum", 1200));
  BOOST_TEST(eventually([&] { return progress_of(h, "sum").replayed == 600; }));
  BOOST_TEST(eventually([&] { return w.read<totals>("sums").size() == 2400; }));
}

BOOST_AUTO_TEST_CASE(merged_inputs_with_a_drift_give_what_they_give_without) {
  const auto outputs = [](milliseconds drift) {
    world w{2};
    topic_config c;
    c.name = "more";
    c.partitions = 2;
    must(w.log->create_topic(c));
    for (int i = 0; i < 200; ++i) {
      w.send({"p" + std::to_string(i % 5), start + i * 7min, i});
      record_batch batch;
      const reading r{"p" + std::to_string(i % 5), start + i * 3min, 1000 + i};
      batch.add(r.at, bytes_view{r.place}, bytes_view{encoded(r)});
      must(w.log->append({"more", partition_of(r.place, 2)}, batch));
    }
    app a{"merged"};
    a.stream<reading>("readings")
        .merge("both", a.stream<reading>("more"))
        .already_keyed(&reading::place)
        .window(tumbling{1h}, {.lateness = 24h})
        .fold<totals>("hourly", [](totals& t, const reading& r) { t.add(r.value); })
        .to("sums");
    auto o = w.options();
    o.until_end = true;
    o.max_drift = drift;
    host h{a, o};
    must(h.start());
    BOOST_REQUIRE(must(h.wait_finished(30s)));
    std::vector<std::string> all;
    w.each("sums", [&](const record_view& r) { all.push_back(bytes{*r.key} + bytes{*r.value}); });
    std::sort(all.begin(), all.end());
    return all;
  };
  const auto without = outputs(0ms);
  BOOST_TEST(without.size() > 50u);
  BOOST_TEST((outputs(10min) == without));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace actors_test
