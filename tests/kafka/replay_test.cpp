// A state that is built anew from the log while several processes run the app: what the program of
// before has added up wrongly is right afterwards, wherever the task is by then.
#include <atomic>
#include <csignal>
#include <fstream>
#include <set>

#include "actors/task_orders.hpp"
#include "kafka/totals_app_support.hpp"
#include "kappa/actors/admin_client.hpp"
#include "kappa/core/partitioner.hpp"
#include "kappa/log/open_log.hpp"
#include "support/kafka_broker.hpp"

namespace {

using namespace kafka_test;

constexpr int keys = 350;  // of as many readings that follow each other
constexpr int before = 2 * keys;

/// The program of before, and the one that has been mended.
std::atomic<bool> wrong;

app sums_app(const std::string& name) {
  app a{name};
  a.stream<reading>(name + "-readings")
      .already_keyed(&reading::place)
      .fold<totals>("sum", [](totals& t, const reading& r) { t.add(wrong ? 0 : r.value); })
      .to(name + "-sums");
  return a;
}

bool has_sums(event_log& log, const std::string& name, std::size_t count) {
  return eventually([&] { return lines_of(log, name + "-sums").size() == count; }, 90s);
}

/// Tasks of the stage that have committed an order.
std::set<partition> ordered(event_log& log, const std::string& name, const std::string& stage) {
  std::set<partition> all;
  for (const auto& [p, order] : must(detail::task_orders(log, name, stage, generation{1}))) {
    if (order.ordered > 0) all.insert(p);
  }
  return all;
}

std::set<partition> all_of_them() {
  std::set<partition> all;
  for (std::int32_t p = 0; p < totals_partitions; ++p) all.insert(partition{p});
  return all;
}

/// After `count` readings, of which the last ones had every key.
void check_last_sums(event_log& log, const std::string& name, int count,
                     const std::set<partition>& of = all_of_them()) {
  std::map<std::string, totals> expected;
  for (int i = 0; i < count; ++i)
    expected[fmt::format("{}{}", static_cast<char>('a' + i % 7), i % 50)].add(i % 13);
  std::map<std::string, std::string> last;
  for (const auto& l : lines_of(log, name + "-sums")) {
    const auto colon = l.find(": ");
    last[l.substr(0, colon)] = l.substr(colon + 2);
  }
  BOOST_TEST(last.size() == expected.size());
  for (const auto& [key, t] : expected) {
    if (of.contains(partition_of(encoded(key), totals_partitions)))
      BOOST_TEST(last[key] == fmt::format("{} {}", t.count, t.sum), key);
  }
}

void replay(const std::shared_ptr<event_log>& log, const std::string& name) {
  int told = 0;
  const auto done = must(admin_client{log, name}.replay("sum", -1, [&](const auto& p) {
    BOOST_TEST((p.state != admin::replay_state::done));
    ++told;
    return true;
  }));
  BOOST_REQUIRE(done.has_value());
  BOOST_TEST((done->state == admin::replay_state::done));
  BOOST_TEST(done->tasks.size() == std::size_t{totals_partitions});
  BOOST_TEST(told > 0);
}

BOOST_AUTO_TEST_SUITE(replays_on_kafka)

BOOST_AUTO_TEST_CASE(each_process_builds_the_states_of_its_tasks_anew_and_writes_nothing_again) {
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = log_on_kafka();
  make_input(*log, name);
  wrong = true;
  const auto options = options_on(kafka_url(), folder.path());
  host first{sums_app(name), options};
  host second{sums_app(name), options};
  must(first.start());
  must(second.start());
  BOOST_TEST_REQUIRE(eventually([&] { return running(first) == 2 && running(second) == 2; }, 60s));
  send(*log, name, 0, before);
  BOOST_TEST_REQUIRE(has_sums(*log, name, before));
  wrong = false;
  replay(log, name);
  BOOST_TEST(lines_of(*log, name + "-sums").size() == std::size_t{before});
  send(*log, name, before, keys);
  BOOST_TEST_REQUIRE(has_sums(*log, name, before + keys));
  check_last_sums(*log, name, before + keys);
  check_counts(*log, name + "-sums");
  replay(log, name);  // an order above the last
  must(first.stop());
  must(second.stop());
}

BOOST_AUTO_TEST_CASE(a_stage_that_has_committed_nothing_is_not_said_to_be_replayed) {
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = log_on_kafka();
  make_input(*log, name);
  host h{sums_app(name), options_on(kafka_url(), folder.path())};
  must(h.start());
  BOOST_TEST_REQUIRE(eventually([&] { return running(h) == h.status().size(); }, 60s));
  const auto refused = admin_client{log, name}.replay("sum", -1, [](const auto&) { return true; });
  BOOST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code == errc::refused_start));
  must(h.stop());
}

BOOST_AUTO_TEST_CASE(a_state_of_before_the_replay_is_not_taken_where_the_task_comes_back_to) {
  const auto name = fresh_name();
  const temporary_folder old_folder;
  const temporary_folder new_folder;
  const auto log = log_on_kafka();
  make_input(*log, name);
  wrong = true;
  {
    host old{sums_app(name), options_on(kafka_url(), old_folder.path())};
    must(old.start());
    send(*log, name, 0, before);
    BOOST_TEST_REQUIRE(has_sums(*log, name, before));
    must(old.stop());  // its states are whole, and wrong
  }
  wrong = false;
  {
    host other{sums_app(name), options_on(kafka_url(), new_folder.path())};
    must(other.start());
    BOOST_TEST_REQUIRE(eventually([&] { return running(other) == other.status().size(); }, 60s));
    replay(log, name);
    must(other.stop());
  }
  host back{sums_app(name), options_on(kafka_url(), old_folder.path())};
  must(back.start());
  send(*log, name, before, keys);
  BOOST_TEST_REQUIRE(has_sums(*log, name, before + keys));
  check_last_sums(*log, name, before + keys);
  must(back.stop());
}

BOOST_AUTO_TEST_CASE(what_was_accepted_is_carried_out_also_when_the_process_dies_at_once) {
  const auto log = log_on_kafka();
  // Each of the eight tasks is opened once before: the ninth time is the first for the replay.
  for (const std::string point : {"recover.plan:9", "recover.replay:1"}) {
    BOOST_TEST_CONTEXT(point) {
      const auto name = fresh_name();
      const temporary_folder folder;
      const auto flag = flag_in(folder.path());
      make_input(*log, name);
      std::ofstream{flag.string() + ".wrong"} << "yes";
      auto running_one = start_helper(name, folder.path());
      send(*log, name, 0, before);
      BOOST_TEST_REQUIRE(has_sums(*log, name, before));
      running_one->end_input();
      BOOST_TEST_REQUIRE(running_one->wait() == 0);
      std::filesystem::remove(flag.string() + ".wrong");

      running_one = start_helper(name, folder.path(), {"KAPPA_FAILPOINT=" + point});
      const admin_client client{log, name};
      auto asked = client.replay("quick", -1, [](const auto&) { return true; });
      BOOST_TEST(!asked.has_value());  // it has stopped
      BOOST_TEST(running_one->wait() == -SIGKILL);
      const auto accepted = ordered(*log, name, "quick");  // it died before all had
      BOOST_TEST(!accepted.empty());

      running_one = start_helper(name, folder.path());
      send(*log, name, before, keys);
      BOOST_TEST_REQUIRE(has_sums(*log, name, before + keys));
      running_one->end_input();
      BOOST_TEST(running_one->wait() == 0);
      check_last_sums(*log, name, before + keys, accepted);
      check_counts(*log, name + "-sums");
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
