// The brokers have answered a commit, and the end of the transaction never reaches the partitions.
#include <csignal>

#include "kafka/totals_app_support.hpp"
#include "kappa/log/open_log.hpp"
#include "support/kafka_broker.hpp"
#include "support/observed_failpoints.hpp"

namespace {

using namespace kafka_test;

BOOST_AUTO_TEST_SUITE(unsettled_transactions)

// A broker that dies right after its answer comes up, and often ends the transaction without
// markers (kafka/hanging_transactions.hpp). Its offsets and records are then neither there nor
// not, and whatever ends there next decides.
BOOST_AUTO_TEST_CASE(a_commit_is_one_only_when_it_is_seen_though_the_broker_has_answered) {
  constexpr int rounds = 3;
  constexpr int readings = 200;
  kappa::testing::kafka_broker broker;
  const auto url = "kafka://" + broker.bootstrap();
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = must(open_log({.url = url}));
  make_input(*log, name);
  std::atomic<int> doomed = 0;  // which dies next
  const kappa::testing::observed_failpoints observed{[&](std::string_view at) {
    if (at != "kafka.after_commit") return;
    if (const auto pid = doomed.exchange(0); pid != 0) ::kill(pid, SIGKILL);
  }};
  host h{totals_app(name), options_on(url, folder.path())};
  must(h.start());
  BOOST_TEST_REQUIRE(eventually([&] { return running(h) == h.status().size(); }));
  for (int round = 0; round < rounds; ++round) {
    doomed = broker.nodes().front().pid;
    send(*log, name, round * readings, readings);
    BOOST_TEST_REQUIRE(eventually([&] { return doomed == 0; }, 120s));
    broker.kill_node(1);
    broker.start_node(1);
    broker.wait_usable();
  }
  constexpr auto all = static_cast<std::size_t>(rounds * readings);
  BOOST_TEST_REQUIRE(eventually(
      [&] {
        return lines_of(*log, name + "-sums").size() >= all &&
               lines_of(*log, name + "-letters").size() >= all;
      },
      200s));
  must(h.stop());
  for (const auto* topic : {"-sums", "-letters"}) {
    const auto lines = lines_of(*log, name + topic);
    BOOST_TEST(lines.size() == all);
    std::map<std::string, int> counts;
    for (const auto& l : lines) {
      const auto colon = l.find(": ");
      BOOST_TEST_REQUIRE(std::stoi(l.substr(colon + 2)) == ++counts[l.substr(0, colon)], l);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
