// Stages that read one topic are apart in it, and stay so.
#include <csignal>
#include <fstream>

#include "kafka/totals_app_support.hpp"

namespace {

using namespace kafka_test;

BOOST_AUTO_TEST_SUITE(different_lags)

BOOST_AUTO_TEST_CASE(two_stages_on_one_topic_that_are_killed_each_go_on_from_where_they_were) {
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = log_on_kafka();
  make_input(*log, name);
  send(*log, name, 0, 200);
  const auto killed = start_helper(name, folder.path());
  BOOST_TEST_REQUIRE(has_taken_in(*log, name, 200));
  std::ofstream{flag_in(folder.path())} << "stop here";
  send(*log, name, 200, 400);
  BOOST_TEST_REQUIRE(
      eventually([&] { return lines_of(*log, name + "-sums").size() == 600U; }, 60s));
  killed->kill(SIGKILL);
  BOOST_TEST(killed->wait() == -SIGKILL);
  BOOST_TEST(lines_of(*log, name + "-letters").size() == 200U);

  std::filesystem::remove(flag_in(folder.path()));
  send(*log, name, 600, 100);
  const auto next = start_helper(name, folder.path());
  BOOST_TEST(has_taken_in(*log, name, 700));
  next->end_input();
  BOOST_TEST(next->wait() == 0);
  check_counts(*log, name + "-sums");
  check_counts(*log, name + "-letters");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
