// A process that is paused in the middle of a commit for longer than its session, and wakes up when
// its tasks are another's: it writes nothing more for them, and takes part again.
#include <csignal>
#include <filesystem>

#include "kafka/totals_app_support.hpp"

namespace {

using namespace kafka_test;

BOOST_AUTO_TEST_SUITE(zombies)

void paused_at(const std::string& failpoint) {
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = log_on_kafka();
  make_input(*log, name);
  const auto mark = folder.path() / "mark";
  for (const auto* process : {"zombie", "heir"})
    std::filesystem::create_directories(folder.path() / process);
  const auto zombie = start_helper(
      name, folder.path() / "zombie",
      {"KAPPA_FAILPOINT=" + failpoint + ":5", "KAPPA_FAILPOINT_SIGNAL=" + std::to_string(SIGSTOP),
       "KAPPA_FAILPOINT_MARK=" + mark.string()});
  int sent = 0;
  BOOST_TEST_REQUIRE(eventually([&] {
    if (std::filesystem::exists(mark)) return true;
    send(*log, name, sent, 10);
    sent += 10;
    return false;
  }));

  const auto heir = start_helper(name, folder.path() / "heir");
  send(*log, name, sent, 100);
  sent += 100;
  BOOST_TEST_REQUIRE(has_taken_in(*log, name, static_cast<std::size_t>(sent)));
  zombie->kill(SIGCONT);
  send(*log, name, sent, 100);
  sent += 100;
  BOOST_TEST(has_taken_in(*log, name, static_cast<std::size_t>(sent)));
  heir->end_input();
  BOOST_TEST(heir->wait() == 0);
  send(*log, name, sent, 100);  // who woke up has the tasks again
  sent += 100;
  BOOST_TEST(has_taken_in(*log, name, static_cast<std::size_t>(sent)));
  zombie->end_input();
  BOOST_TEST(zombie->wait() == 0);
  check_counts(*log, name + "-sums");
  check_counts(*log, name + "-letters");
}

BOOST_AUTO_TEST_CASE(one_that_sleeps_before_it_moves_its_positions) {
  paused_at("kafka.before_offsets");
}
BOOST_AUTO_TEST_CASE(one_that_sleeps_before_it_commits) { paused_at("kafka.before_commit"); }

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
