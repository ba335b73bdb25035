// The brokers place the tasks themselves (KIP-848).
#include <csignal>

#include "kafka/totals_app_support.hpp"
#include "kappa/log/kafka_log.hpp"
#include "support/kafka_broker.hpp"

namespace {

using namespace kafka_test;

class takes_all final : public placement_listener {
  void given(const task_place&) override {}
  void taken(const task_place&, bool, std::function<void()> done) override { done(); }
  void failed(const error&) override {}
};

BOOST_AUTO_TEST_SUITE(brokers_own_protocol)

// Its name is not its own again before the session of the one that was killed has ended.
BOOST_AUTO_TEST_CASE(a_process_that_is_killed_and_started_again_at_once_goes_on) {
  if (!kappa::testing::the_broker().has_own_protocol()) {
    BOOST_TEST_MESSAGE("brokers before 4.0 do not have it");
    return;
  }
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = log_on_kafka();
  make_input(*log, name);
  const std::vector<std::string> environment{"KAPPA_TEST_GROUP_PROTOCOL=consumer"};
  send(*log, name, 0, 200);
  const auto killed = start_helper(name, folder.path(), environment);
  BOOST_TEST_REQUIRE(has_taken_in(*log, name, 200));
  killed->kill(SIGKILL);
  BOOST_TEST(killed->wait() == -SIGKILL);
  send(*log, name, 200, 100);
  const auto next = start_helper(name, folder.path(), environment);
  BOOST_TEST(has_taken_in(*log, name, 300));
  next->end_input();
  BOOST_TEST(next->wait() == 0);
  check_counts(*log, name + "-sums");
  check_counts(*log, name + "-letters");
}

// The harness's brokers have 6 s; this program's own setting does not count.
BOOST_AUTO_TEST_CASE(a_start_tells_the_session_that_the_brokers_keep) {
  if (!kappa::testing::the_broker().has_own_protocol()) {
    BOOST_TEST_MESSAGE("brokers before 4.0 do not have it");
    return;
  }
  for (const auto& [protocol, session] :
       {std::pair{"classic", "7000 ms"}, {"consumer", "6000 ms"}}) {
    kafka_log_options options;
    options.brokers = kappa::testing::the_broker().bootstrap();
    options.settings["group.protocol"] = protocol;
    options.session_timeout = std::chrono::seconds{7};
    std::string told;
    options.log = [&](log_level, std::string_view what,
                      const std::initializer_list<log_field>& fields) {
      if (what != "the brokers place the tasks") return;
      for (const auto& f : fields) {
        if (f.name == "session_timeout") told = f.value;
      }
    };
    const auto log = must(open_kafka_log(options));
    const stage_tasks stage{fresh_name(), "count", generation{1}, 1};
    must(log->make_room(stage));
    takes_all listener;
    const auto member = must(log->join({stage}, "a test", listener));
    BOOST_TEST(told == session);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
