// Reminders of aggregates in event time: they come when the events of the partition have come so
// far, once, whatever happens before.
#include "kappa/testing/any_history.hpp"
#include "kappa/testing/given.hpp"
#include "saga/alarms.hpp"
#include "saga/running_app.hpp"

namespace event_deadlines_tests {

namespace {

using namespace saga_tests;
using alarms::report_reading;
using alarms::sensor;
using std::chrono::minutes;

const timestamp long_ago{std::chrono::hours{24 * 365}};  // nobody's clock says that

struct sensors : running_app {
  sensors() : running_app{alarms::alarms_app()} {
    now = long_ago + std::chrono::hours{24 * 365};
    // Three of one partition, and one of the other.
    for (int i = 0; other.empty() || late.empty(); ++i) {
      const auto name = fmt::format("s{}", i);
      const bool here = partition_of(name, partitions) == partition_of("a", partitions);
      (!here ? other : neighbour.empty() ? neighbour : late) = name;
    }
  }
  pending_outcome report(const std::string& name, minutes at, const std::string& mood = "") {
    return ask("sensors", name, 0, report_reading{long_ago + at, mood});
  }
  sensor state(const std::string& name) { return at<sensor>("sensors", name).state; }
  std::size_t warnings() {
    return static_cast<std::size_t>(std::count_if(logged.begin(), logged.end(), [](auto& l) {
      return l.find("leaves it in the past") != std::string::npos;
    }));
  }

  std::string neighbour;
  std::string late;
  std::string other;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(event_deadlines)

BOOST_AUTO_TEST_CASE(one_comes_once_when_events_of_the_partition_have_come_so_far) {
  sensors s;
  s.report("a", minutes{0});
  s.quiet(true);
  s.now += std::chrono::hours{1000};  // no clock moves it
  s.report(s.other, minutes{600});    // nor another partition
  s.report(s.neighbour, minutes{59});
  s.quiet(true);
  BOOST_TEST(s.state("a").quiet == 0U);
  s.report(s.neighbour, minutes{61});
  s.quiet(true);
  BOOST_TEST(s.state("a").quiet == 1U);
  BOOST_TEST((s.state("a").told == long_ago + minutes{61}));
  BOOST_TEST(s.state(s.neighbour).quiet == 0U);
  s.report(s.neighbour, minutes{100});
  s.quiet(true);
  BOOST_TEST(s.state("a").quiet == 1U);
  BOOST_TEST(s.state(s.other).quiet == 0U);
}

BOOST_AUTO_TEST_CASE(it_comes_before_the_next_command_of_the_partition) {
  sensors s;
  s.report("a", minutes{0});
  s.report(s.neighbour, minutes{61});
  s.report("a", minutes{62});  // it is back, and was away
  s.quiet();
  const auto a = s.state("a");
  BOOST_TEST(a.readings == 2U);
  BOOST_TEST(a.quiet == 1U);
  BOOST_TEST((a.told == long_ago + minutes{61}));
}

BOOST_AUTO_TEST_CASE(event_time_does_not_go_back_and_what_comes_too_late_is_over_at_once) {
  sensors s;
  s.report(s.neighbour, minutes{500});
  s.report("a", minutes{0});
  s.quiet(true);
  BOOST_TEST(s.state("a").quiet == 1U);
  BOOST_TEST((s.state("a").told == long_ago + minutes{500}));
}

BOOST_AUTO_TEST_CASE(it_survives_any_restart_as_event_time_does) {
  for (const bool snapshots : {true, false}) {
    for (const bool lose : {true, false}) {
      sensors s;
      s.report("a", minutes{0});
      s.report(s.neighbour, minutes{59});
      s.quiet(snapshots);
      s.crash();
      if (lose) s.lose_states();
      s.start();
      s.quiet(snapshots);
      BOOST_TEST(s.state("a").quiet == 0U);
      // Too late by the time of before the crash, and by nothing that has come after it.
      s.report(s.late, minutes{-1});
      s.quiet(snapshots);
      BOOST_TEST(s.state(s.late).quiet == 1U);
      BOOST_TEST((s.state(s.late).told == long_ago + minutes{59}));
      s.report(s.neighbour, minutes{60});
      s.quiet(snapshots);
      BOOST_TEST(s.state("a").quiet == 1U);
      const auto records = s.records("sensors");
      s.crash();
      if (lose) s.lose_states();
      s.start();
      s.quiet(snapshots);
      BOOST_TEST(s.state("a").quiet == 1U);
      BOOST_TEST(s.records("sensors") == records);
    }
  }
}

// The event that makes it due is in the log, and what follows from it is not: the process has died
// between them.
BOOST_AUTO_TEST_CASE(what_was_due_at_a_crash_is_decided_after_it) {
  for (const bool snapshot : {true, false}) {
    for (const bool lose : {true, false}) {
      sensors s;
      s.report("a", minutes{0});
      s.quiet(snapshot);
      s.report(s.neighbour, minutes{60});
      auto& task = s.task_of("sensors", "a");
      must(task.run(1));
      must(task.run(1));  // of turns of one step deadlines have every other
      if (task.progress().timers_fired > 0) BOOST_FAIL("it was decided together with its cause");
      const auto e = must(task.close(s.now, false));
      BOOST_REQUIRE(e);
      s.crash();
      must(must(s.log->open_writer({"alarms"}))->commit({e->appends, {}}));
      if (lose) s.lose_states();
      s.start();
      s.quiet(snapshot);
      BOOST_TEST(s.state("a").quiet == 1U);
      BOOST_TEST(s.records("sensors") == 3U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_commit_that_fails_has_it_come_again_and_once_in_the_log) {
  for (const auto fault : {commit_fault::indefinite_lost, commit_fault::indefinite_applied}) {
    sensors s;
    s.report("a", minutes{0});
    s.quiet();
    s.report(s.neighbour, minutes{60});
    int commits = 0;
    s.log->set_commit_fault(
        [&](const log_transaction&) { return commits++ == 0 ? fault : commit_fault::none; });
    (void)s.runner->run_until_quiet({});
    BOOST_TEST(commits > 1);
    s.restart();
    s.quiet();
    BOOST_TEST(s.state("a").quiet == 1U);
    BOOST_TEST(s.records("sensors") == 3U);
  }
}

BOOST_AUTO_TEST_CASE(what_decides_nothing_throws_or_stays_is_not_asked_again) {
  for (const std::string mood : {"lazy", "wrong", "stuck"}) {
    sensors one;
    one.report("a", minutes{0}, mood);
    one.report(one.neighbour, minutes{60});
    one.quiet(true);
    one.report(one.neighbour, minutes{70});
    one.quiet(true);
    BOOST_TEST(one.state("a").quiet == (mood == "stuck" ? 1U : 0U));
    BOOST_TEST(one.warnings() == (mood == "stuck" ? 1U : 0U));
    std::size_t dead = 0;
    must(
        for_each_record(*one.log, "alarms.dead-letters", [&](const record_view& r) -> result<void> {
          ++dead;
          BOOST_TEST(*r.key == "a");
          BOOST_TEST((r.time == long_ago + minutes{60}));
          return {};
        }));
    BOOST_TEST(dead == (mood == "wrong" ? 1U : 0U));
  }
}

// Anybody may send one: it wakes all, and nobody is kept from deciding.
BOOST_AUTO_TEST_CASE(an_event_of_the_end_of_time_wakes_all_and_the_partition_goes_on) {
  for (const bool lose : {true, false}) {
    sensors s;
    s.report("a", minutes{0});
    s.ask("sensors", s.neighbour, 0, report_reading{max_time - std::chrono::hours{1}, ""});
    s.ask("sensors", s.late, 0, report_reading{max_time - std::chrono::hours{1}, "lazy"});
    s.quiet(true);
    BOOST_TEST(s.state("a").quiet == 1U);
    s.ask("sensors", s.late, 1, alarms::remove_sensor{});
    s.ask("sensors", "a", 0, report_reading{max_time, "lazy"});
    s.quiet(true);
    s.crash();
    if (lose) s.lose_states();
    s.start();
    s.quiet(true);
    const auto answer = s.report("a", minutes{7});
    s.quiet(true);
    BOOST_TEST(answer->has_value());
    BOOST_TEST(s.state("a").readings == 3U);
  }
}

BOOST_AUTO_TEST_CASE(deadlines_by_both_clocks_do_not_wake_each_other_for_ever) {
  sensors s;
  s.report("a", minutes{0}, "both");
  s.quiet(true);
  BOOST_TEST(s.state("a").quiet == 1U);  // by the machine's
  s.report(s.neighbour, minutes{60});
  s.quiet(true);
  BOOST_TEST(s.state("a").quiet == 2U);  // and in event time
  BOOST_TEST(s.warnings() == 2U);
}

BOOST_AUTO_TEST_CASE(many_of_the_machine_s_leave_room_for_commands_also_after_a_restart) {
  sensors s;
  s.now = long_ago;
  for (int i = 0; i < 400; ++i) s.report(fmt::format("{}", i), minutes{0}, "both");
  s.quiet(true);
  s.restart();
  s.now = long_ago + std::chrono::hours{100};
  auto& task = s.task_of("sensors", "a");
  const auto answer = s.report("a", minutes{1});
  must(task.run(8));
  must(task.run(8));
  const auto e = must(task.close(s.now, false));
  BOOST_REQUIRE(e);
  const auto fired = task.progress().timers_fired;
  BOOST_TEST(fired > 0U);
  BOOST_TEST(fired <= 8U);
  BOOST_TEST(e->appends.front().records->count() == fired + 1);  // and the command
}

BOOST_AUTO_TEST_CASE(what_is_gone_has_none) {
  sensors s;
  s.report("a", minutes{0});
  s.ask("sensors", "a", 1, alarms::remove_sensor{});
  s.report(s.neighbour, minutes{90});
  s.quiet(true);
  BOOST_TEST(s.at<sensor>("sensors", "a").gone);
  BOOST_TEST(s.records("sensors") == 3U);
}

BOOST_AUTO_TEST_CASE(scenarios_and_histories_have_event_time) {
  using namespace kappa::testing;
  given<sensor>()
      .when(report_reading{long_ago, ""})
      .then_event_deadline(long_ago + minutes{60})
      .then_deadline(std::nullopt)
      .when_event_deadline()
      .then(alarms::went_quiet{long_ago + minutes{60}})
      .then_event_deadline(std::nullopt);
  BOOST_CHECK_THROW(given<sensor>().when_event_deadline(), scenario_failed);
  std::size_t went_quiet = 0;
  any_history<sensor>([](dice& d, const sensor&) -> any_history<sensor>::command {
    return report_reading{long_ago + minutes{d.number(0, 1000)}, ""};
  })
      .holds("one that is quiet was told so",
             [&](const sensor& s) {
               went_quiet += s.quiet;
               return s.quiet == 0 || s.told >= long_ago + minutes{60};
             })
      .check();
  BOOST_TEST(went_quiet > 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace event_deadlines_tests
