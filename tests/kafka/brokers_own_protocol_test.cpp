// The brokers place the tasks themselves (KIP-848).
#include <csignal>

#include "kafka/totals_app_support.hpp"
#include "support/kafka_broker.hpp"

namespace {

using namespace kafka_test;

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

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
