#include <future>
#include <thread>

#include "actors/actors_support.hpp"
#include "kappa/core/partitioner.hpp"

namespace actors_test {

BOOST_AUTO_TEST_SUITE(queries)

BOOST_AUTO_TEST_CASE(a_value_is_got_by_its_key_with_the_position_it_is_as_of) {
  world w{2};
  for (const auto* place : {"oslo", "rome", "oslo"}) w.send({place, ts("2001-01-01T08:00"), 5});
  host h{sums_app(), w.options()};
  must(h.start());
  BOOST_REQUIRE(eventually([&] { return must(h.query<totals>("sum", "oslo")).value.has_value(); }));
  BOOST_REQUIRE(processed(h, "sum", 3));
  BOOST_REQUIRE(eventually([&] { return must(h.query<totals>("sum", "oslo")).value->sum == 10; }));
  const auto oslo = must(h.query<totals>("sum", "oslo"));
  const auto p = partition_of("oslo", 2);
  const auto end = must(w.log->bounds({"readings", p})).latest;
  BOOST_TEST(oslo.value->count == 2);
  BOOST_REQUIRE_EQUAL(oslo.as_of.inputs.size(), 1u);
  BOOST_TEST(oslo.as_of.inputs[0] == "readings");
  BOOST_TEST(oslo.as_of.positions[0].value == end.value);
  BOOST_TEST(!oslo.as_of.stale);
  BOOST_TEST(!must(h.query<totals>("sum", "lima")).value.has_value());
}

BOOST_AUTO_TEST_CASE(a_range_gives_keys_in_order_up_to_a_limit) {
  world w{1};
  for (const auto* place : {"d", "b", "a", "c", "e"}) w.send({place, ts("2001-01-01T08:00"), 1});
  host h{sums_app(), w.options()};
  must(h.start());
  const auto keys = [&](bytes_view from, bytes_view to, std::size_t limit) {
    std::string all;
    for (const auto& e : must(h.query_range("sum", "a", from, to, limit)).entries) all += e.key;
    return all;
  };
  BOOST_REQUIRE(eventually([&] { return keys("", "", 100) == "abcde"; }));
  BOOST_TEST(keys("b", "d", 100) == "bc");
  BOOST_TEST(keys("b", "", 2) == "bc");
  BOOST_TEST(keys("x", "", 2).empty());
  BOOST_TEST(must(h.query_range("sum", "a", "b", "c", 9)).as_of.size() == 1u);
}

BOOST_AUTO_TEST_CASE(all_partitions_are_asked_and_each_says_where_it_is) {
  world w{4};
  for (int i = 0; i < 40; ++i) w.send({"p" + std::to_string(i), ts("2001-01-01T08:00"), 1});
  host h{sums_app(), w.options()};
  must(h.start());
  BOOST_REQUIRE(
      eventually([&] { return must(h.query_all("sum", SIZE_MAX)).entries.size() == 40; }));
  const auto all = must(h.query_all("sum", SIZE_MAX));
  BOOST_REQUIRE_EQUAL(all.as_of.size(), 4u);
  std::int64_t positions = 0;
  for (const auto& p : all.as_of) positions += p.positions[0].value;
  BOOST_TEST(positions == 40);
  BOOST_TEST(must(h.query_all("sum", 7)).entries.size() == 7u);
  BOOST_TEST(must(h.query_all("sum", 0)).entries.empty());
}

BOOST_AUTO_TEST_CASE(windows_of_a_key_are_read_open_and_closed) {
  world w{1};
  for (const auto* at : {"2001-01-01T08:10", "2001-01-01T09:05", "2001-01-01T09:30"}) {
    w.send({"oslo", ts(at), 3});
    w.send({"oslo2", ts(at), 1});  // a key that begins with the other's bytes
  }
  host h{hourly_app(), w.options()};
  must(h.start());
  const auto hour = [&](const char* start) {
    return must(h.query<totals>("hourly", windowed_key{"oslo", ts(start)})).value;
  };
  BOOST_REQUIRE(eventually([&] {
    const auto second = hour("2001-01-01T09:00");
    return second && second->count == 2;
  }));
  // 08:00 has closed (the watermark is 09:30), 09:00 is open: both are there.
  BOOST_TEST(w.read<totals>("hourly-totals").size() == 2u);
  BOOST_TEST(hour("2001-01-01T08:00")->sum == 3);
  BOOST_TEST(!hour("2001-01-01T07:00").has_value());
  const auto windows = must(h.query_windows("hourly", std::string{"oslo"}));
  BOOST_REQUIRE_EQUAL(windows.entries.size(), 2u);
  BOOST_TEST((split_window_state_key(windows.entries[0].key)->start == ts("2001-01-01T08:00")));
  BOOST_TEST((split_window_state_key(windows.entries[1].key)->start == ts("2001-01-01T09:00")));
}

BOOST_AUTO_TEST_CASE(a_query_sees_nothing_of_a_commit_that_is_held_back_aborted_or_retried) {
  world w{1};
  commit_gate gate{*w.log};
  w.send({"oslo", ts("2001-01-01T08:00"), 1});
  host h{sums_app(), w.options()};
  must(h.start());
  const auto sum = [&](read_level level) {
    const auto a = must(h.query<totals>("sum", "oslo", {.level = level}));
    return std::pair{a.value ? a.value->sum : -1, a.as_of.positions[0].value};
  };
  using seen = std::pair<std::int64_t, std::int64_t>;
  BOOST_REQUIRE(eventually([&] { return sum(read_level::committed) == seen{1, 1}; }));

  gate.hold();
  w.send({"oslo", ts("2001-01-01T08:01"), 10});
  BOOST_REQUIRE(gate.has_caught_one());
  BOOST_TEST((sum(read_level::committed) == seen{1, 1}));
  BOOST_TEST((sum(read_level::latest) == seen{11, 2}));

  gate.release(commit_fault::abort);
  BOOST_REQUIRE(gate.has_caught_one());  // the same epoch, again
  BOOST_TEST((sum(read_level::committed) == seen{1, 1}));
  gate.release(commit_fault::indefinite_lost);
  BOOST_REQUIRE(gate.has_caught_one());
  BOOST_TEST((sum(read_level::committed) == seen{1, 1}));
  BOOST_TEST(w.read<totals>("sums").size() == 1u);

  gate.open();
  BOOST_REQUIRE(eventually([&] { return sum(read_level::committed) == seen{11, 2}; }));
  BOOST_TEST(w.read<totals>("sums").size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_key_that_exists_only_in_a_held_commit_is_absent_and_not_in_a_range) {
  world w{1};
  commit_gate gate{*w.log};
  host h{sums_app(), w.options()};
  must(h.start());
  gate.hold();
  w.send({"oslo", ts("2001-01-01T08:00"), 1});
  BOOST_REQUIRE(gate.has_caught_one());
  BOOST_TEST(!must(h.query<totals>("sum", "oslo")).value.has_value());
  BOOST_TEST(must(h.query_all("sum", 10)).entries.empty());
  BOOST_TEST(must(h.query_all("sum", 10, {.level = read_level::latest})).entries.size() == 1u);
  gate.open();
  BOOST_REQUIRE(eventually([&] { return must(h.query_all("sum", 10)).entries.size() == 1; }));
}

BOOST_AUTO_TEST_CASE(a_commit_that_succeeded_unknown_is_seen_and_not_repeated) {
  world w{1};
  commit_gate gate{*w.log};
  host h{sums_app(), w.options()};
  must(h.start());
  gate.hold();
  w.send({"oslo", ts("2001-01-01T08:00"), 1});
  BOOST_REQUIRE(gate.has_caught_one());
  gate.release(commit_fault::indefinite_applied);
  gate.open();
  BOOST_REQUIRE(eventually([&] { return must(h.query<totals>("sum", "oslo")).value.has_value(); }));
  w.send({"oslo", ts("2001-01-01T08:01"), 1});
  BOOST_REQUIRE(eventually([&] { return must(h.query<totals>("sum", "oslo")).value->sum == 2; }));
  BOOST_TEST(w.read<totals>("sums").size() == 2u);
}

BOOST_AUTO_TEST_CASE(while_a_task_replays_its_answers_are_stale_or_refused) {
  world w{1};
  for (int i = 0; i < 10; ++i) w.send({"oslo", ts("2001-01-01T08:00"), 1});
  {
    host h{sums_app(), w.options()};
    must(h.start());
    BOOST_REQUIRE(processed(h, "sum", 10));
    must(h.stop());
  }
  std::filesystem::remove_all(w.folder.path() / "state");  // so everything is replayed
  std::promise<void> go_on;
  auto may_go_on = go_on.get_future().share();
  std::atomic<int> seen{0};
  auto o = w.options();
  o.worker_threads = 1;
  host h{sums_app([&](const reading&) {
           if (++seen == 5) may_go_on.wait();
         }),
         o};
  must(h.start());
  BOOST_REQUIRE(eventually([&] { return seen == 5; }));
  // The actor is in the step, so the questions wait for its end: asked now, answered in the middle.
  auto stale = std::async(std::launch::async, [&] { return h.query<totals>("sum", "oslo"); });
  go_on.set_value();
  const auto answer = must(stale.get());
  BOOST_TEST((answer.as_of.stale || answer.value->sum == 10));
  BOOST_REQUIRE(eventually([&] {
    const auto a = must(h.query<totals>("sum", "oslo", {.refuse_stale = true}));
    return a.value && a.value->sum == 10 && !a.as_of.stale;
  }));
}

BOOST_AUTO_TEST_CASE(an_unknown_stage_is_answered_with_the_names_of_the_stages) {
  world w{1};
  host h{hourly_app(), w.options()};
  must(h.start());
  BOOST_TEST(refused(h.query<totals>("hourlly", "oslo"), errc::not_found, {"hourlly", "hourly"}));
  BOOST_TEST(
      refused(h.query_all("place", 1), errc::invalid_argument, {"no keyed state", "hourly"}));
}

BOOST_AUTO_TEST_CASE(a_host_that_has_stopped_or_never_ran_refuses_queries) {
  world w{1};
  host h{sums_app(), w.options()};
  BOOST_TEST(refused(h.query<totals>("sum", "oslo"), errc::stopped, {"sums"}));
  BOOST_TEST(refused(h.wait_finished(0ms), errc::stopped, {"sums"}));
  must(h.start());
  must(h.stop());
  BOOST_TEST(refused(h.query<totals>("sum", "oslo"), errc::stopped, {"sums"}));
}

BOOST_AUTO_TEST_CASE(
    queries_from_other_threads_end_in_an_answer_or_a_refusal_while_the_host_stops) {
  world w{2};
  for (int i = 0; i < 100; ++i) w.send({"p" + std::to_string(i), ts("2001-01-01T08:00"), 1});
  host h{sums_app(), w.options()};
  must(h.start());
  BOOST_REQUIRE(processed(h, "sum", 100));
  std::atomic<int> answers{0};
  std::atomic<bool> odd{false};
  std::vector<std::thread> askers;
  for (int t = 0; t < 3; ++t) {
    askers.emplace_back([&] {
      for (;;) {
        const auto a = h.query<totals>("sum", "p7");
        if (a) {
          ++answers;
          continue;
        }
        if (a.error().code != errc::stopped) odd = true;
        return;
      }
    });
  }
  BOOST_TEST(eventually([&] { return answers > 100; }));
  must(h.stop());
  for (auto& t : askers) t.join();
  BOOST_TEST(!odd);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace actors_test
