// Reminders of aggregates: they come when their time has come, once, whatever happens before.
#include "saga/alarms.hpp"
#include "saga/running_app.hpp"

namespace deadlines_tests {

namespace {

using namespace saga_tests;
using alarms::alarm;
using alarms::set_alarm;
using std::chrono::minutes;

struct alarm_clock : running_app {
  alarm_clock() : running_app{alarms::alarms_app()} {}

  pending_outcome set(const std::string& name, timestamp at, const std::string& mood = "") {
    return ask("alarms", name, 0, set_alarm{at, mood});
  }
  void clear(const std::string& name) { ask("alarms", name, 1, alarms::clear_alarm{}); }
  std::uint32_t rang(const std::string& name) { return at<alarm>("alarms", name).state.rang; }
  std::optional<timestamp> next(const std::string& name) {
    return task_of("alarms", name).next_deadline();
  }
  std::size_t warnings() {
    return static_cast<std::size_t>(std::count_if(logged.begin(), logged.end(), [](auto& l) {
      return l.find("leaves it in the past") != std::string::npos;
    }));
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(deadlines)

BOOST_AUTO_TEST_CASE(one_that_is_set_rings_once_when_its_time_has_come) {
  alarm_clock c;
  const auto at = c.now + minutes{5};
  c.set("a", at);
  c.quiet(true);
  c.now = at - milliseconds{1};
  c.quiet(true);
  BOOST_TEST(c.rang("a") == 0U);
  BOOST_TEST((c.next("a") == at));
  c.now = at;
  c.quiet(true);
  BOOST_TEST(c.rang("a") == 1U);
  BOOST_TEST(!c.next("a").has_value());
  c.now += minutes{60};
  c.quiet(true);
  BOOST_TEST(c.rang("a") == 1U);
  BOOST_TEST(c.records("alarms") == 2U);
}

BOOST_AUTO_TEST_CASE(it_survives_any_restart_and_comes_late_where_its_time_has_passed_meanwhile) {
  for (const bool snapshots : {true, false}) {
    for (const bool lose : {true, false}) {
      alarm_clock c;
      const auto at = c.now + minutes{5};
      c.set("early", at);
      c.set("late", at + minutes{10});
      c.quiet(snapshots);
      c.crash();
      if (lose) c.lose_states();
      c.now = at + minutes{1};
      c.start();
      c.quiet(snapshots);
      BOOST_TEST(c.rang("early") == 1U);
      BOOST_TEST(c.rang("late") == 0U);
      c.crash();
      if (lose) c.lose_states();
      c.start();
      c.quiet(snapshots);
      BOOST_TEST(c.rang("early") == 1U);
      c.now = at + minutes{10};
      c.quiet(snapshots);
      BOOST_TEST(c.rang("late") == 1U);
      BOOST_TEST(c.records("alarms") == 4U);
    }
  }
}

BOOST_AUTO_TEST_CASE(of_one_that_is_moved_the_last_time_counts_and_one_that_is_cleared_is_silent) {
  alarm_clock c;
  const auto at = c.now + minutes{5};
  c.set("later", at);
  c.set("sooner", at + minutes{20});
  c.set("never", at);
  c.quiet(true);
  c.set("later", at + minutes{20});
  c.set("sooner", at);
  c.clear("never");
  c.quiet(true);
  c.now = at;
  c.quiet(true);
  BOOST_TEST(c.rang("sooner") == 1U);
  BOOST_TEST(c.rang("later") == 0U);
  c.now = at + minutes{20};
  c.quiet(true);
  BOOST_TEST(c.rang("sooner") == 1U);
  BOOST_TEST(c.rang("later") == 1U);
  BOOST_TEST(c.rang("never") == 0U);
}

BOOST_AUTO_TEST_CASE(a_commit_that_fails_has_it_ring_again_and_once_in_the_log) {
  for (const auto fault : {commit_fault::indefinite_lost, commit_fault::indefinite_applied}) {
    alarm_clock c;
    c.set("a", c.now + minutes{5});
    c.quiet();
    c.now += minutes{5};
    int commits = 0;
    c.log->set_commit_fault(
        [&](const log_transaction&) { return commits++ == 0 ? fault : commit_fault::none; });
    (void)c.runner->run_until_quiet({});
    BOOST_TEST(commits > 0);
    c.restart();
    c.quiet();
    BOOST_TEST(c.rang("a") == 1U);
    BOOST_TEST(c.records("alarms") == 2U);
  }
}

BOOST_AUTO_TEST_CASE(a_decision_of_nothing_is_not_asked_again_before_an_event) {
  alarm_clock c;
  const auto at = c.now + minutes{5};
  c.set("a", at, "lazy");
  c.quiet(true);
  c.now = at;
  c.quiet(true);
  BOOST_TEST(!c.next("a").has_value());
  BOOST_TEST(c.records("alarms") == 1U);
  c.restart();
  c.quiet(true);
  BOOST_TEST(!c.next("a").has_value());
  c.set("a", at);
  c.quiet(true);
  BOOST_TEST(c.rang("a") == 1U);
}

BOOST_AUTO_TEST_CASE(what_is_gone_by_its_deadline_has_none_in_any_next_life) {
  for (const bool snapshots : {true, false}) {
    for (const bool lose : {true, false}) {
      alarm_clock c;
      const auto at = c.now + minutes{5};
      c.set("a", at, "last");
      c.quiet(snapshots);
      c.now = at;
      c.quiet(snapshots);
      BOOST_TEST(c.at<alarm>("alarms", "a").gone);
      BOOST_TEST(!c.next("a").has_value());
      c.crash();
      if (lose) c.lose_states();
      c.start();
      c.now += minutes{60};
      c.quiet(snapshots);
      BOOST_TEST(c.at<alarm>("alarms", "a").gone);
      BOOST_TEST(!c.next("a").has_value());
      BOOST_TEST(c.records("alarms") == 2U);
      c.set("a", c.now + minutes{5});  // a new life
      c.quiet(snapshots);
      BOOST_TEST(c.at<alarm>("alarms", "a").version == 3U);
      c.now += minutes{5};
      c.quiet(snapshots);
      BOOST_TEST(c.rang("a") == 1U);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_throws_is_a_dead_letter_and_others_ring) {
  alarm_clock c;
  const auto at = c.now + minutes{5};
  c.set("a", at, "wrong");
  for (const auto* name : {"b", "c", "d", "e"}) c.set(name, at);
  c.quiet(true);
  c.now = at;
  c.quiet(true);
  for (const auto* name : {"b", "c", "d", "e"}) BOOST_TEST(c.rang(name) == 1U);
  BOOST_TEST(c.rang("a") == 0U);
  BOOST_TEST(!c.next("a").has_value());
  std::size_t dead = 0;
  must(for_each_record(*c.log, "alarms.dead-letters", [&](const record_view& r) -> result<void> {
    ++dead;
    BOOST_TEST(*r.key == "a");
    BOOST_TEST((r.time == at));
    BOOST_TEST(r.headers.find("kappa.error").value_or("").find("it does not ring") !=
               bytes_view::npos);
    BOOST_TEST(must(codec<aggregate_entry<alarm>>::decode(*r.value)).state.mood == "wrong");
    return {};
  }));
  BOOST_TEST(dead == 1U);
}

BOOST_AUTO_TEST_CASE(one_that_stays_in_the_past_is_told_of_and_does_not_ring_for_ever) {
  alarm_clock c;
  const auto at = c.now + minutes{5};
  c.set("a", at, "stuck");
  c.quiet(true);
  c.now = at;
  c.quiet(true);
  BOOST_TEST(c.rang("a") == 1U);
  BOOST_TEST(c.warnings() == 1U);
  c.quiet(true);
  BOOST_TEST(c.rang("a") == 1U);
}

// Whose decisions the process has died of, as far as the task is told.
BOOST_AUTO_TEST_CASE(one_that_has_killed_the_process_is_a_dead_letter_at_the_third_death) {
  struct recorder final : step_watcher {
    void step_begins(const std::string& /*task*/, const std::string& input, offset at,
                     const volatile kappa::detail::op_index* /*op*/) override {
      seen.push_back({input, at, deaths_until_dead_letter});
    }
    void step_ended() override {}
    std::vector<crash_suspect> seen;
  } watcher;
  alarm_clock c;
  c.set("a", c.now + minutes{5});
  c.quiet();
  const auto place = partition_of("a", c.partitions);
  auto o = aggregate_options_of(*c.options.topology->find("alarms"), place,
                                c.runner->layout().at("alarms"));
  c.crash();
  c.now += minutes{5};
  o.log = c.log;
  o.state_folder = c.folder.path() / "other";
  o.commands = c.commands;
  o.clock = c.options.clock;
  o.watcher = &watcher;
  {
    auto dies = must(open_aggregate_task(o));
    for (bool more = true; more;) more = must(dies->run(8)).more;
  }
  BOOST_REQUIRE(watcher.seen.size() == 1U);
  o.suspects = watcher.seen;
  auto lives = must(open_aggregate_task(o));
  for (bool more = true; more;) more = must(lives->run(8)).more;
  BOOST_TEST(watcher.seen.size() == 1U);
  const auto e = must(lives->close(c.now, false));
  BOOST_REQUIRE(e);
  BOOST_REQUIRE(e->appends.size() == 1U);
  BOOST_TEST(e->appends.front().to.topic == "alarms.dead-letters");
}

BOOST_AUTO_TEST_CASE(in_turns_of_one_step_commands_and_deadlines_have_every_other) {
  alarm_clock c;
  const auto at = c.now + minutes{5};
  for (int i = 0; i < 40; ++i) c.set(fmt::format("{}", i), at);
  c.quiet(true);
  c.now = at;
  auto& task = c.task_of("alarms", "x");
  for (int i = 0; i < 6; ++i) c.set("x", at + minutes{1 + i});
  for (int i = 0; i < 12; ++i) must(task.run(1));
  BOOST_TEST(task.progress().timers_fired == 6U);
  BOOST_TEST(must(task.close(c.now, false))->appends.front().records->count() == 12U);
}

BOOST_AUTO_TEST_CASE(many_at_once_leave_room_for_commands) {
  constexpr int all = 400;
  alarm_clock c;
  const auto at = c.now + minutes{5};
  for (int i = 0; i < all; ++i) c.set(fmt::format("{}", i), at);
  c.quiet(true);
  c.now = at;
  auto& task = c.task_of("alarms", "x");
  auto answer = c.set("x", at + minutes{1});
  must(task.run(8));
  const auto e = must(task.close(c.now, false));
  BOOST_REQUIRE(e);
  // 4 rang, and the command was decided in the same turn.
  BOOST_TEST(e->appends.front().records->count() == 5U);
  BOOST_TEST(task.progress().timers_fired == 4U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace deadlines_tests
