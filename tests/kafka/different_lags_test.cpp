// Stages that read one topic are apart in it, and stay so.
#include <csignal>
#include <fstream>

#include "kafka/totals_app_support.hpp"
#include "kappa_paths.hpp"
#include "support/child_process.hpp"

namespace {

using namespace kafka_test;
using kappa::testing::child_process;

const auto program = std::filesystem::path{test_paths::binary_dir} / "tests/kafka/kafka_helper";

BOOST_AUTO_TEST_SUITE(different_lags)

BOOST_AUTO_TEST_CASE(two_stages_on_one_topic_that_are_killed_each_go_on_from_where_they_were) {
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = log_on_kafka();
  make_input(*log, name);
  const auto flag = folder.path() / "flag";
  const std::vector<std::string> arguments{kafka_url(), (folder.path() / "state").string(), name,
                                           flag.string()};
  send(*log, name, 0, 200);
  child_process killed{program, arguments};
  BOOST_TEST_REQUIRE((killed.line() == "started"));
  BOOST_TEST_REQUIRE(has_taken_in(*log, name, 200));
  std::ofstream{flag} << "stop here";
  send(*log, name, 200, 400);
  BOOST_TEST_REQUIRE(
      eventually([&] { return lines_of(*log, name + "-sums").size() == 600U; }, 60s));
  killed.kill(SIGKILL);
  BOOST_TEST(killed.wait() == -SIGKILL);
  BOOST_TEST(lines_of(*log, name + "-letters").size() == 200U);

  std::filesystem::remove(flag);
  send(*log, name, 600, 100);
  child_process next{program, arguments};
  BOOST_TEST(has_taken_in(*log, name, 700));
  next.end_input();
  BOOST_TEST(next.wait() == 0);
  check_counts(*log, name + "-sums");
  check_counts(*log, name + "-letters");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
