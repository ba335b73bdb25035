// Processes that start together make the same topics.
#include <mutex>
#include <thread>

#include "kappa/log/kafka_log.hpp"
#include "log/log_fixtures.hpp"
#include "support/kafka_broker.hpp"

namespace {

using namespace log_contract;

constexpr int processes = 4;
constexpr int topics = 60;  // so that one comes at any moment of another's making

}  // namespace

BOOST_AUTO_TEST_CASE(processes_that_make_the_same_topics_at_once_all_find_them_to_be_the_apps) {
  kafka_log_options options;
  options.brokers = kappa::testing::the_broker().bootstrap();
  std::mutex mutex;
  std::vector<std::string> refused;
  std::vector<std::thread> all;
  for (int p = 0; p < processes; ++p) {
    all.emplace_back([&, log = must(open_kafka_log(options))] {
      for (int t = 0; t < topics; ++t) {
        topic_config c;
        c.name = "made-at-once-" + std::to_string(t);
        c.owner = "made-at-once";
        auto made = log->create_topic(c);
        if (made) continue;
        const std::lock_guard lock{mutex};
        refused.push_back(made.error().text());
      }
    });
  }
  for (auto& t : all) t.join();
  BOOST_TEST(refused == std::vector<std::string>{}, boost::test_tools::per_element());
}
