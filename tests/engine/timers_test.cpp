// DESIGN §5 "One step is all or nothing": timers, and epochs that close between two of them.
#include <fstream>

#include <boost/test/unit_test.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include "engine/manual_host.hpp"
#include "support/sanitizer.hpp"

using namespace kappa;
using namespace engine_test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(timers)

using engine_test::reading;

namespace {

struct behaviour {
  int times_run = 0;
  bool throws = true;
};

// The `map` behind the window throws for sums of 13.
template <class Stream>
void windowed_sums(Stream readings, std::shared_ptr<behaviour> b) {
  readings.window(tumbling{1h}, {.lateness = 10min, .keep = 24h})
      .template fold<totals>("sums", [](totals& t, const reading& r) { t.add(r.value); })
      .map("careful",
           [b](const auto& w) {
             ++b->times_run;
             if (w.value.sum == 13 && b->throws) throw std::runtime_error{"thirteen"};
             return w.key + ":" + std::to_string(w.value.sum);
           })
      .to("out");
}

app outside_app(std::shared_ptr<behaviour> b) {
  app a{"shop"};
  windowed_sums(a.stream<reading>("in").already_keyed(&reading::place), std::move(b));
  return a;
}

app hop_app(std::shared_ptr<behaviour> b) {
  app a{"shop"};
  windowed_sums(a.stream<reading>("in").key_by("place", &reading::place), std::move(b));
  return a;
}

app merge_app(std::shared_ptr<behaviour> b) {
  app a{"shop"};
  windowed_sums(a.stream<reading>("in")
                    .merge("both", a.stream<reading>("in-2"))
                    .already_keyed(&reading::place),
                std::move(b));
  return a;
}

std::vector<std::string> values(manual_host& h) {
  std::vector<std::string> all;
  for (const auto& r : h.records("out")) all.push_back(r.value);
  return all;
}

void expect(manual_host& h, const std::vector<std::string>& expected) {
  BOOST_TEST(values(h) == expected, boost::test_tools::per_element());
}

// Rebuilt from nothing, the user code of the failed timer is not run again.
void rebuilds_the_same(manual_host& h, const std::shared_ptr<behaviour>& b) {
  const auto picture = h.picture();
  const auto end = h.log_end();
  h.delete_state();
  b->throws = false;
  b->times_run = 0;
  h.open();
  h.settle();
  BOOST_TEST(same(picture, h.picture()));
  BOOST_TEST(h.log_end() == end);
}

void check_timer_letter(manual_host& h, const std::string& stage, const bytes& key) {
  const auto dead = h.dead_letters();
  BOOST_REQUIRE_EQUAL(dead.size(), 1u);
  BOOST_TEST(dead[0].headers.at("kappa.stage") == stage);
  BOOST_TEST(dead[0].headers.at("kappa.operator") == "careful");
  BOOST_TEST(dead[0].headers.at("kappa.timer") == "2001-01-01T01:10:00Z");
  BOOST_TEST(dead[0].headers.at("kappa.error").find("thirteen") != bytes::npos);
  BOOST_TEST((dead[0].key == window_state_key(key, minute(0))));
  BOOST_TEST(must(codec<totals>::decode(dead[0].value)).sum == 13);
  std::size_t listed = 0;
  for (const auto& r : h.epoch_records(stage)) listed += r.failed_timers.size();
  BOOST_TEST(listed == 1u);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_throw_behind_a_window_fired_by_a_record_is_a_dead_letter) {
  auto b = std::make_shared<behaviour>();
  manual_host h{outside_app(b)};
  h.open();
  h.send("in", {"a", minute(5), 1});
  h.send("in", {"b", minute(6), 13});
  h.send("in", {"c", minute(7), 3});
  h.send("in", {"a", minute(90), 4});
  h.settle();
  expect(h, {"a:1", "c:3"});
  check_timer_letter(h, "sums", "b");
  // The window that was not emitted stays readable as long as the others, then goes.
  const auto key = window_state_key("b", minute(0));
  BOOST_TEST(must(h.task("sums").table()->read(key, read_level::committed)).has_value());
  h.send("in", {"a", minute(60 * 26), 5});
  h.settle();
  BOOST_TEST(!must(h.task("sums").table()->read(key, read_level::committed)).has_value());
  rebuilds_the_same(h, b);
}

BOOST_AUTO_TEST_CASE(a_throw_behind_a_window_fired_by_a_marker_is_a_dead_letter) {
  auto b = std::make_shared<behaviour>();
  manual_host h{hop_app(b)};
  h.open();
  h.send("in", {"a", minute(5), 1});
  h.send("in", {"b", minute(6), 13});
  h.settle();
  h.task("place").advance_event_time(minute(90));  // the keyed stage hears of it by a marker
  h.settle();
  expect(h, {"a:1"});
  check_timer_letter(h, "sums", "b");
  rebuilds_the_same(h, b);
}

BOOST_AUTO_TEST_CASE(a_throw_behind_a_window_fired_by_end_is_a_dead_letter) {
  auto b = std::make_shared<behaviour>();
  manual_host h{outside_app(b)};
  h.until_end = true;
  h.send("in", {"a", minute(5), 1});
  h.send("in", {"b", minute(6), 13});
  h.open();
  h.settle();
  BOOST_TEST(h.finished());
  expect(h, {"a:1"});
  check_timer_letter(h, "sums", "b");
  rebuilds_the_same(h, b);
}

BOOST_AUTO_TEST_CASE(a_failed_timer_is_skipped_by_a_replay_that_took_snapshots_on_its_way) {
  auto b = std::make_shared<behaviour>();
  manual_host h{outside_app(b)};
  h.open();
  h.send("in", {"a", minute(5), 1});
  h.send("in", {"b", minute(6), 13});
  h.send("in", {"a", minute(90), 4});
  h.settle();
  const auto picture = h.picture();
  b->throws = false;
  for (int steps = 1; steps < 8; ++steps) {
    h.delete_state();
    h.limits.snapshot_interval = 0ms;
    h.open();
    auto& t = h.at("sums");
    for (int i = 0; i < steps; ++i) {
      h.run(t, 1);
      h.close(t, true);
      h.snapshot(t);
    }
    h.crash();
    h.open();
    h.settle();
    BOOST_TEST_CONTEXT(steps << " steps") BOOST_TEST(same(picture, h.picture()));
  }
}

BOOST_AUTO_TEST_CASE(with_the_policy_stop_a_timer_that_throws_stops_the_task_until_it_is_mended) {
  auto b = std::make_shared<behaviour>();
  manual_host h{outside_app(b)};
  h.on_failure = failure_policy::stop;
  h.send("in", {"b", minute(6), 13});
  h.send("in", {"a", minute(90), 4});
  for (int start = 0; start < 2; ++start) {
    h.open();
    auto& t = h.at("sums");
    h.run(t, 2);
    h.close(t);
    h.commit(t);
    BOOST_TEST(refused(t.task->run(100), errc::user_code, {"timer", "careful", "thirteen"}));
  }
  b->throws = false;
  h.open();
  h.settle();
  expect(h, {"b:13"});
  BOOST_TEST(h.dead_letters().empty());
}

BOOST_AUTO_TEST_CASE(a_timer_that_throws_only_in_replay_stops_the_task_with_a_clear_error) {
  auto b = std::make_shared<behaviour>();
  b->throws = false;
  manual_host h{outside_app(b)};
  h.open();
  h.send("in", {"b", minute(6), 13});
  h.send("in", {"a", minute(90), 4});
  h.settle();
  h.delete_state();
  b->throws = true;
  h.open();
  BOOST_TEST(refused(h.task("sums").run(100), errc::user_code,
                     {"timer 2001-01-01T01:10:00Z", "careful", "not deterministic", "thirteen"}));
}

BOOST_AUTO_TEST_CASE(timers_fire_in_the_order_of_time_and_key) {
  auto b = std::make_shared<behaviour>();
  manual_host h{outside_app(b)};
  h.open();
  h.send("in", {"b", minute(62), 1});
  h.send("in", {"a", minute(63), 2});
  h.send("in", {"c", minute(61), 3});
  h.send("in", {"z", minute(55), 4});
  h.send("in", {"a", minute(500), 5});
  h.settle();
  expect(h, {"z:4", "a:2", "b:1", "c:3"});
}

// Keys over 400 bytes are kept under a hash: the border between epochs must use the same order.
BOOST_AUTO_TEST_CASE(an_epoch_closed_between_timers_of_long_keys_loses_and_doubles_none) {
  auto b = std::make_shared<behaviour>();
  std::vector<std::string> undisturbed;
  const std::string head(390, 'k');
  for (int kill = -1; kill <= 40; ++kill) {
    manual_host h{outside_app(b)};
    h.open();
    for (int i = 0; i < 32; ++i) {
      h.send("in", {head + std::string(30, static_cast<char>('a' + i)), minute(5), 100 + i});
    }
    h.send("in", {"end", minute(90), 0});
    if (kill >= 0) {
      auto& t = h.at("sums");
      h.run(t, static_cast<std::size_t>(33 + kill));
      h.close(t);
      h.commit(t);
      h.open();
    }
    h.settle();
    if (kill < 0) undisturbed = values(h);
    BOOST_TEST_CONTEXT("killed after " << kill << " timers") expect(h, undisturbed);
  }
  BOOST_TEST(undisturbed.size() == 32u);
}

namespace {

// Kills after every number of steps, at every number of steps in an epoch, with and without a
// snapshot, and rebuilds from nothing too.
void killed_everywhere(const std::function<app(std::shared_ptr<behaviour>)>& make,
                       const std::function<void(manual_host&)>& script) {
  auto b = std::make_shared<behaviour>();
  manual_host undisturbed{make(b)};
  undisturbed.until_end = true;
  script(undisturbed);
  undisturbed.open();
  undisturbed.settle();
  const auto expected = undisturbed.picture();
  for (const std::size_t per_epoch : {1u, 2u, 3u, 7u}) {
    for (const bool snapshots : {false, true}) {
      for (int kill = 1; kill < 40; kill += per_epoch == 1 ? 1 : 3) {
        manual_host h{make(b)};
        h.until_end = true;
        script(h);
        h.open();
        int turns = 0;
        for (auto& t : h.tasks()) {
          while (turns < kill && h.turn(t, per_epoch, snapshots && turns % 3 == 0)) ++turns;
        }
        h.open();
        h.settle(per_epoch);
        BOOST_TEST_CONTEXT(per_epoch << " steps an epoch, killed after " << kill
                                     << " epochs, snapshots " << snapshots) {
          BOOST_TEST(same(expected, h.picture()));
          h.delete_state();
          h.open();
          h.settle(3);
          BOOST_TEST(same(expected, h.picture()));
        }
      }
    }
  }
}

void ten_windows(manual_host& h, const std::string& topic, int from) {
  for (int i = from; i < from + 10; ++i) {
    h.send(topic, {"k" + std::to_string(i), minute(i), i});  // one of them makes 13
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_epoch_closed_between_timers_is_replayed_up_to_there_one_input) {
  killed_everywhere(outside_app, [](manual_host& h) { ten_windows(h, "in", 5); });
}

BOOST_AUTO_TEST_CASE(an_epoch_closed_between_timers_is_replayed_up_to_there_after_a_hop) {
  killed_everywhere(hop_app, [](manual_host& h) { ten_windows(h, "in", 5); });
}

BOOST_AUTO_TEST_CASE(an_epoch_closed_between_timers_is_replayed_up_to_there_several_inputs) {
  // For a merge the epochs are part of the outcome's order; all windows are fired by `end` here.
  killed_everywhere(merge_app, [](manual_host& h) {
    ten_windows(h, "in", 5);
    ten_windows(h, "in-2", 8);
  });
}

BOOST_AUTO_TEST_CASE(event_time_that_is_moved_fires_what_is_due_before_the_next_record) {
  auto b = std::make_shared<behaviour>();
  manual_host h{outside_app(b)};
  h.open();
  h.send("in", {"a", minute(5), 1});
  h.send("in", {"b", minute(6), 2});
  h.settle();
  h.task("sums").advance_event_time(minute(90));
  h.send("in", {"a", minute(91), 3});
  for (int i = 0; i < 5; ++i) {  // epochs of one step, killed after each
    auto& t = h.at("sums");
    h.run(t, 1);
    h.close(t);
    h.commit(t);
    h.open();
    h.task("sums").advance_event_time(minute(90));
  }
  h.settle();
  expect(h, {"a:1", "b:2"});
}

BOOST_AUTO_TEST_CASE(end_closes_windows_but_keep_sees_the_last_real_watermark) {
  auto b = std::make_shared<behaviour>();
  manual_host h{outside_app(b)};
  h.until_end = true;
  h.send("in", {"a", minute(5), 1});
  h.send("in", {"b", minute(60 * 30), 2});
  h.open();
  h.settle();
  BOOST_TEST(h.finished());
  expect(h, {"a:1", "b:2"});
  const auto there = [&](const bytes& key, int start) {
    return must(h.task("sums").table()->read(window_state_key(key, minute(start)),
                                             read_level::committed))
        .has_value();
  };
  BOOST_TEST(!there("a", 0));       // older than the last real watermark by more than a day
  BOOST_TEST(there("b", 60 * 30));  // `end` closed it, and it can still be read
}

namespace {

std::size_t resident_bytes() {
  std::ifstream f{"/proc/self/statm"};
  std::size_t pages = 0;
  f >> pages >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

constexpr int many_windows = kappa::test::sanitized ? 50'000 : 1'000'000;

}  // namespace

BOOST_AUTO_TEST_CASE(end_closes_a_million_windows_in_bounded_memory_also_when_killed_half_way) {
  app a{"shop"};
  a.stream<reading>("in")
      .already_keyed(&reading::place)
      .window(tumbling{1h}, {.keep = 0ms})
      .fold<totals>("sums", [](totals& t, const reading& r) { t.add(r.value); })
      .map("count", [](const auto& w) { return w.value.count; })
      .to("out");
  manual_host h{a};
  h.until_end = true;
  h.limits.cache_bytes = 4 << 20;
  h.limits.max_dirty_bytes = 4 << 20;
  h.limits.max_epoch_bytes = 1 << 20;
  {
    record_batch batch;
    for (int i = 0; i < many_windows; ++i) {
      const reading r{fmt::format("{:07}", i), minute(i % 60), 1};
      batch.add(r.at, bytes_view{r.place}, encoded(r), bytes_view{});
      if (batch.count() < 10'000 && i + 1 < many_windows) continue;
      must(h.log().append({"in", partition{0}}, batch));
      batch.clear();
    }
  }
  h.open();
  const auto before = resident_bytes();
  std::size_t most = before;
  const auto go = [&](std::uint64_t fired) {
    for (;;) {
      auto& t = h.at("sums");
      const auto status = h.run(t, 4096);
      if (t.task->should_close(h.now)) h.close(t);
      h.commit(t);
      h.snapshot(t);
      most = std::max(most, resident_bytes());
      if (t.task->progress().timers_fired >= fired || t.task->finished()) return;
      if (status.steps == 0 && !status.more) h.close(t);
    }
  };
  go(many_windows / 2);
  BOOST_TEST(!h.finished());
  h.crash();  // with an epoch open
  h.open();
  go(many_windows * 10ull);
  BOOST_TEST(h.finished());
  const auto last = must(h.log().bounds({"out", partition{0}})).latest;
  BOOST_TEST(last.value == many_windows);
  std::vector<bool> seen(many_windows);
  auto reader = must(h.log().open_reader({"out", partition{0}}));
  for (offset at{0}; at < last;) {
    const auto batch = must(reader->read(at, 1 << 20));
    for (const auto& r : batch.records()) {
      const auto n = static_cast<std::size_t>(std::stoi(bytes{r.key->substr(0, 7)}));
      if (seen[n]) BOOST_ERROR("window " << n << " twice");
      seen[n] = true;
    }
    at = batch.next();
  }
  // What the memory log itself holds of the outputs, 88 bytes each, is not the engine's.
  const auto own = most - before - std::min<std::size_t>(most - before, many_windows * 120ull);
  BOOST_TEST_MESSAGE("grew by " << ((most - before) >> 20) << " MiB, without the log "
                                << (own >> 20) << " MiB");
  BOOST_TEST(own < std::size_t{160} << 20);
}

BOOST_AUTO_TEST_SUITE_END()
