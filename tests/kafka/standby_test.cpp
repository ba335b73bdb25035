// Tasks that move to a process which has followed them, to one which finds savepoints of them, and
// to one which has nothing.
#include "kafka/totals_app_support.hpp"
#include "kappa/state/savepoint_repository.hpp"
#include "kappa/state/snapshot_record.hpp"
#include "kappa/task/savepoints.hpp"

namespace {

using namespace kafka_test;

/// Whether the newest savepoint of the task's state has all that the task has committed.
bool is_saved(event_log& log, const host_options& options, const task_id& t) {
  const auto all = must(must(open_savepoint_folder(options.savepoints))->list(savepoint_state(t)));
  if (all.empty()) return false;
  const auto as_of = decode_snapshot(all.front().snapshot);
  BOOST_REQUIRE(as_of.has_value());
  const auto done =
      must(log.position({t.app, t.stage, t.generation, t.partition, as_of->inputs.front()}));
  return done && done->next <= as_of->positions.front();
}

/// Two processes share the tasks; one ends, and the other has all. How many records that one has
/// replayed for those it was given then.
std::uint64_t replayed_after_a_move(std::size_t standbys) {
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = log_on_kafka();
  make_input(*log, name);
  send(*log, name, 0, 1000);
  auto options = options_on(kafka_url(), folder.path());
  options.standbys = standbys;
  host stays{totals_app(name), options};
  must(stays.start());
  const std::size_t tasks = stays.status().size();
  std::vector<task_id> moved;
  {
    host goes{totals_app(name), options};
    must(goes.start());
    BOOST_TEST_REQUIRE(
        eventually([&] { return running(stays) + running(goes) == tasks && running(goes) > 0; }));
    send(*log, name, 1000, 1000);
    BOOST_TEST_REQUIRE(eventually([&] {
      return lines_of(*log, name + "-sums").size() == 2000U &&
             lines_of(*log, name + "-letters").size() == 2000U;
    }));
    const auto now = steady_now();
    for (const auto& t : goes.status()) {
      if (t.health == task_health::running) moved.push_back(t.id);
    }
    // What is followed has followed to the end.
    BOOST_TEST_REQUIRE(eventually([&] {
      const auto all = stays.status();
      return std::all_of(all.begin(), all.end(), [&](const task_status& t) {
        return standbys == 0 || t.health != task_health::elsewhere ||
               (t.standby && t.standby->at > now);
      });
    }));
    must(goes.stop());
  }
  BOOST_TEST_REQUIRE(eventually([&] { return running(stays) == tasks; }, 60s));
  std::uint64_t replayed = 0;
  for (const auto& t : stays.status()) {
    if (std::find(moved.begin(), moved.end(), t.id) != moved.end()) replayed += t.progress.replayed;
  }
  // It goes on from there, and each record has counted once.
  send(*log, name, 2000, 500);
  BOOST_TEST_REQUIRE(eventually([&] { return lines_of(*log, name + "-sums").size() == 2500U; }));
  must(stays.stop());
  std::map<std::string, int> counts;
  for (const auto& l : lines_of(*log, name + "-sums")) {
    const auto colon = l.find(": ");
    BOOST_REQUIRE(std::stoi(l.substr(colon + 2)) == ++counts[l.substr(0, colon)]);
  }
  return replayed;
}

BOOST_AUTO_TEST_SUITE(standbys_on_kafka)

BOOST_AUTO_TEST_CASE(who_has_followed_a_task_has_nothing_to_replay) {
  BOOST_TEST(replayed_after_a_move(0) > 500U);
  // A marker may have come since.
  BOOST_TEST(replayed_after_a_move(host_options::all_others) < 50U);
}

// On another machine, which has no state of them.
BOOST_AUTO_TEST_CASE(who_finds_savepoints_replays_what_was_committed_since) {
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = log_on_kafka();
  make_input(*log, name);
  send(*log, name, 0, 1000);
  auto options = options_on(kafka_url(), folder.path() / "one");
  options.savepoints = folder.path() / "savepoints";
  options.savepoint_interval = 1ms;
  options.limits.snapshot_interval = 10ms;
  std::size_t tasks = 0;
  {
    host one{totals_app(name), options};
    must(one.start());
    BOOST_TEST_REQUIRE(has_taken_in(*log, name, 1000));
    const auto all = one.status();
    tasks = all.size();
    BOOST_TEST_REQUIRE(eventually([&] {
      return std::all_of(all.begin(), all.end(),
                         [&](const task_status& t) { return is_saved(*log, options, t.id); });
    }));
    must(one.stop());
  }
  options.state = folder.path() / "another";
  host another{totals_app(name), options};
  must(another.start());
  BOOST_TEST_REQUIRE(eventually([&] { return running(another) == tasks; }, 60s));
  std::uint64_t replayed = 0;
  for (const auto& t : another.status()) replayed += t.progress.replayed;
  BOOST_TEST(replayed < 50U);  // a marker may have come since
  send(*log, name, 1000, 500);
  BOOST_TEST_REQUIRE(has_taken_in(*log, name, 1500));
  must(another.stop());
  check_counts(*log, name + "-sums");
  check_counts(*log, name + "-letters");
}

BOOST_AUTO_TEST_CASE(without_other_processes_nobody_can_follow) {
  const temporary_folder folder;
  auto options = options_on("memory:", folder.path());
  options.standbys = 1;
  host h{totals_app(fresh_name()), options};
  BOOST_TEST(refused(h.start(), errc::bad_config, {"standbys", "one process has all tasks"}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
