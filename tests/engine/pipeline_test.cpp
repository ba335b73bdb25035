#include <boost/test/unit_test.hpp>

#include "engine/small_types.hpp"
#include "kappa/stream/topology.hpp"
#include "kappa/testing/driver.hpp"

using namespace kappa;
using namespace std::chrono_literals;
using kappa::testing::driver;
using kappa::testing::ts;

BOOST_AUTO_TEST_SUITE(pipeline)

using engine_test::reading;
using engine_test::totals;

namespace {

app hourly_app() {
  app a{"weather"};
  auto hourly =
      a.stream<reading>("readings")
          .validate("plausible", [](const reading& r) { return r.value > -100 && r.value < 100; })
          .key_by("place", &reading::place)
          .window(tumbling{1h}, {.lateness = 10min})
          .fold<totals>("hourly", [](totals& t, const reading& r) { t.add(r.value); });
  hourly.to("hourly-totals");
  hourly.filter("hot", [](const auto& w) { return w.value.sum > 50; })
      .map("alert", [](const auto& w) { return w.key + " is hot"; })
      .to("alerts");
  return a;
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_hour_closes_when_the_watermark_passes_its_end_and_lateness) {
  driver d{hourly_app()};
  d.send("readings", reading{"oslo", ts("2001-01-01T08:10"), 60});
  BOOST_TEST(d.read<std::string>("alerts").empty());
  d.advance_event_time(ts("2001-01-01T09:09"));
  BOOST_TEST(d.read<std::string>("alerts").empty());
  d.advance_event_time(ts("2001-01-01T09:11"));
  const auto alerts = d.read<std::string>("alerts");
  BOOST_REQUIRE_EQUAL(alerts.size(), 1u);
  BOOST_TEST(alerts[0] == "oslo is hot");
  const auto totals_read = d.read_records<totals>("hourly-totals");
  BOOST_REQUIRE_EQUAL(totals_read.size(), 1u);
  BOOST_TEST((totals_read[0].time == ts("2001-01-01T09:00") - 1ms));
}

BOOST_AUTO_TEST_CASE(end_of_input_closes_open_windows_in_order) {
  driver d{hourly_app()};
  for (const auto* place : {"rome", "oslo", "lima"})
    d.send("readings", reading{place, ts("2001-01-01T08:05"), 60});
  d.send("readings", reading{"oslo", ts("2001-01-01T07:55"), 70});
  d.end_of_input();
  const auto alerts = d.read<std::string>("alerts");
  const std::vector<std::string> expected{"oslo is hot", "lima is hot", "oslo is hot",
                                          "rome is hot"};
  BOOST_TEST(alerts == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_rejected_record_goes_to_dead_letters_and_does_not_move_event_time) {
  driver d{hourly_app()};
  d.send("readings", reading{"oslo", ts("2001-01-01T08:10"), 60});
  d.send("readings", reading{"oslo", ts("9999-01-01T00:00"), 1000});
  BOOST_TEST(d.read<std::string>("alerts").empty());
  const auto dead = d.dead_letters();
  BOOST_REQUIRE_EQUAL(dead.size(), 1u);
  const auto header = [&](std::string_view name) {
    for (const auto& [n, v] : dead[0].headers) {
      if (n == name) return v;
    }
    return bytes{};
  };
  BOOST_TEST(header("kappa.position") == "readings[0]@1");
  BOOST_TEST(header("kappa.operator") == "plausible");
  BOOST_TEST(header("kappa.stage") == "place");
}

BOOST_AUTO_TEST_CASE(a_late_record_goes_to_the_late_topic) {
  driver d{hourly_app()};
  d.send("readings", reading{"oslo", ts("2001-01-01T08:10"), 60});
  d.send("readings", reading{"oslo", ts("2001-01-01T10:30"), 1});
  d.send("readings", reading{"oslo", ts("2001-01-01T08:20"), 5});
  const auto late = d.read_records<reading>("weather.hourly.late");
  BOOST_REQUIRE_EQUAL(late.size(), 1u);
  BOOST_TEST(late[0].value.value == 5);
  const auto totals_read = d.read<totals>("hourly-totals");
  BOOST_REQUIRE_EQUAL(totals_read.size(), 1u);
  BOOST_TEST(totals_read[0].sum == 60);
}

BOOST_AUTO_TEST_CASE(state_is_readable_while_the_window_is_open_and_after_it_closed) {
  driver d{hourly_app()};
  d.send("readings", reading{"oslo", ts("2001-01-01T08:10"), 60});
  d.send("readings", reading{"oslo", ts("2001-01-01T08:20"), 2});
  const auto open = d.get<totals>("hourly", std::string{"oslo"}, ts("2001-01-01T08:00"));
  BOOST_REQUIRE(open);
  BOOST_TEST(open->sum == 62);
  d.advance_event_time(ts("2001-01-02T08:00"));
  BOOST_TEST(d.get<totals>("hourly", std::string{"oslo"}, ts("2001-01-01T08:00"))->sum == 62);
  d.advance_event_time(ts("2001-01-09T10:00"));  // the default keeps a week
  BOOST_TEST(!d.get<totals>("hourly", std::string{"oslo"}, ts("2001-01-01T08:00")));
}

BOOST_AUTO_TEST_CASE(several_partitions_give_the_same_totals) {
  for (const int partitions : {1, 3, 4}) {
    driver d{hourly_app(), {.partitions = partitions}};
    // Few, each over minutes: with each one the shadows restart all tasks and replay all before it.
    for (int i = 0; i < 21; ++i) {
      d.send("readings",
             reading{"p" + std::to_string(i % 7), ts("2001-01-01T08:00") + i * 10min, 1});
    }
    d.end_of_input();
    std::int64_t sum = 0;
    for (const auto& t : d.read<totals>("hourly-totals")) sum += t.sum;
    BOOST_TEST(sum == 21);
  }
}

BOOST_AUTO_TEST_CASE(a_fold_without_window_passes_on_each_new_value) {
  app a{"sums"};
  a.stream<reading>("readings")
      .key_by("place", &reading::place)
      .fold<totals>("sum", [](totals& t, const reading& r) { t.add(r.value); })
      .to("sums");
  driver d{a};
  for (const int v : {1, 2, 3}) d.send("readings", reading{"oslo", ts("2001-01-01T08:10"), v});
  std::vector<std::int64_t> sums;
  for (const auto& t : d.read<totals>("sums")) sums.push_back(t.sum);
  const std::vector<std::int64_t> expected{1, 3, 6};
  BOOST_TEST(sums == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(merged_inputs_are_taken_in_event_time) {
  app a{"both"};
  a.stream<reading>("left")
      .merge("all", a.stream<reading>("right"))
      .map("name", [](const reading& r) { return r.place + std::to_string(r.value); })
      .to("names");
  driver d{a, {.shadows = true}};
  for (int i = 0; i < 20; ++i) {
    d.send("left", reading{"l", ts("2001-01-01T08:00") + i * 1min, i});
    d.send("right", reading{"r", ts("2001-01-01T08:00") + i * 30s, i});
  }
  BOOST_TEST(d.read<std::string>("names").size() == 40u);
}

BOOST_AUTO_TEST_CASE(a_second_keyed_stage_follows_a_windowed_one) {
  app a{"chain"};
  a.stream<reading>("readings")
      .key_by("place", &reading::place)
      .window(tumbling{1h}, {.lateness = 10min})
      .fold<totals>("hourly", [](totals& t, const reading& r) { t.add(r.value); })
      .key_by("again", [](const auto& w) { return w.key; })
      .process<totals>(
          "best",
          [](totals& best, const windowed<std::string, totals>& w) -> std::optional<std::string> {
            if (w.value.sum <= best.sum) return std::nullopt;
            best.sum = w.value.sum;
            return w.key + ":" + std::to_string(w.value.sum);
          })
      .to("records");
  driver d{a, {.partitions = 2}};
  for (int hour = 0; hour < 5; ++hour) {
    for (int i = 0; i < (hour == 3 ? 1 : hour + 1); ++i) {
      d.send("readings", reading{"oslo", ts("2001-01-01T08:00") + hour * 1h + i * 1min, 1});
    }
  }
  d.end_of_input();
  const auto records = d.read<std::string>("records");
  const std::vector<std::string> expected{"oslo:1", "oslo:2", "oslo:3", "oslo:5"};
  BOOST_TEST(records == expected, boost::test_tools::per_element());
}

// The driver's shadows restart at each epoch: what one task has taken the others still get.
BOOST_AUTO_TEST_CASE(event_time_is_moved_by_hand_in_every_partition_also_in_the_shadows) {
  driver d{hourly_app(), {.partitions = 3}};
  for (int i = 0; i < 30; ++i) {
    d.send("readings", reading{"p" + std::to_string(i), ts("2001-01-01T08:10") + i * 1min, 1});
  }
  d.advance_event_time(ts("2001-01-01T09:11"));
  BOOST_TEST(d.read<totals>("hourly-totals").size() == 30u);
  d.advance_event_time(ts("2001-01-01T09:11"));  // again: nothing
  d.send("readings", reading{"p1", ts("2001-01-01T10:10"), 1});
  d.advance_event_time(ts("2001-01-01T11:10"));
  BOOST_TEST(d.read<totals>("hourly-totals").size() == 1u);
  const auto differences = d.verify();
  BOOST_TEST(differences.empty(), differences);
}

BOOST_AUTO_TEST_CASE(a_flawed_topology_is_refused_with_every_problem_named) {
  app a{"flawed"};
  a.stream<reading>("in").filter("", [](const reading&) { return true; }).to("out");
  a.stream<reading>("out").to("elsewhere");
  const auto t = topology::compile(a);
  BOOST_REQUIRE(!t);
  BOOST_TEST((t.error().code == errc::bad_config));
  BOOST_TEST(t.error().message.find("filter \"\"") != std::string::npos);
  BOOST_TEST(t.error().message.find("reads topic \"out\"") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
