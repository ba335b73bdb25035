// Commits whose answer does not come, and transactions that the brokers end by themselves.
#include <atomic>

#include "kafka/totals_app_support.hpp"
#include "kafka/transactional_producer.hpp"
#include "kappa/log/kafka_log.hpp"
#include "kappa/log/open_log.hpp"
#include "support/kafka_broker.hpp"

namespace {

using namespace kafka_test;

/// An app on brokers of its own, behind a network that loses commits and answers.
struct app_on_bad_network {
  app_on_bad_network() {
    make_input(*log, name);
    options.log_to = [this](log_level, std::string_view what, const auto&) {
      if (what.starts_with("outcome of a commit is unknown")) unknown = true;
    };
  }
  std::vector<std::string> positions() {
    std::vector<std::string> all;
    for (const auto& m : must(log->positions(name)))
      all.push_back(fmt::format("{}@{}", m.key.text(), m.value.next));
    return all;
  }
  kappa::testing::kafka_broker broker{{.listeners = {"cuttable"}}};
  std::string name = fresh_name();
  temporary_folder folder;
  std::shared_ptr<event_log> log = must(open_log({.url = "kafka://" + broker.bootstrap()}));
  std::atomic<bool> unknown = false;
  host_options options = options_on("kafka://" + broker.bootstrap("cuttable"), folder.path());
};

/// What of a commit gets lost, and how long the network stays away.
void lose_a_commit(void (kappa::testing::kafka_broker::*lose)(int), bool arrives,
                   bool until_it_is_unknown) {
  app_on_bad_network w;
  host h{totals_app(w.name), w.options};
  must(h.start());
  send(*w.log, w.name, 0, 100);
  BOOST_TEST_REQUIRE(has_taken_in(*w.log, w.name, 100));
  const auto before = w.positions();

  (w.broker.*lose)(1);
  send(*w.log, w.name, 100, 100);
  BOOST_TEST_REQUIRE(eventually([&] { return w.broker.lost(1) == 1; }));
  if (until_it_is_unknown) {
    BOOST_TEST_REQUIRE(eventually([&] { return w.unknown.load(); }, 60s));
    BOOST_TEST((w.positions() != before) == arrives);
  }
  w.broker.heal_network(1);
  BOOST_TEST(has_taken_in(*w.log, w.name, 200));
  send(*w.log, w.name, 200, 100);  // it goes on
  BOOST_TEST(has_taken_in(*w.log, w.name, 300));
  BOOST_TEST(!h.failure());
  must(h.stop());
  check_counts(*w.log, w.name + "-sums");
  check_counts(*w.log, w.name + "-letters");
}

using kappa::testing::kafka_broker;

BOOST_AUTO_TEST_SUITE(doubtful_commits)

BOOST_AUTO_TEST_CASE(a_commit_that_did_not_arrive_is_sent_again) {
  lose_a_commit(&kafka_broker::lose_commit, false, false);
}

BOOST_AUTO_TEST_CASE(a_commit_whose_answer_was_lost_counts_once) {
  lose_a_commit(&kafka_broker::lose_answer, true, false);
}

BOOST_AUTO_TEST_CASE(a_commit_that_was_lost_with_the_network_is_found_out_not_to_be_there) {
  lose_a_commit(&kafka_broker::lose_commit, false, true);
}

BOOST_AUTO_TEST_CASE(a_commit_whose_answer_was_lost_with_the_network_is_found_out_to_be_there) {
  lose_a_commit(&kafka_broker::lose_answer, true, true);
}

// They say then what they say to one that was fenced, which would end the process.
BOOST_AUTO_TEST_CASE(a_transaction_that_the_brokers_ended_for_its_age_is_in_doubt_not_fenced) {
  const auto name = fresh_name();
  const temporary_folder folder;
  const auto log = log_on_kafka();
  topic_config c;
  c.name = name;
  must(log->create_topic(c));
  kafka_log_options options;
  options.brokers = kappa::testing::the_broker().bootstrap();
  options.transaction_timeout = 1s;
  const topic_partition where{name, partition{0}};
  auto batch = std::make_shared<record_batch>();
  batch->add(ts("2001-01-01T00:00Z"), "key", "value");
  const std::vector<log_transaction::append> appends{{where, batch}};
  auto producer = must(kafka::transactional_producer::open(options, name + ".slow"));
  must(producer->send(appends, true));
  const auto written = must(log->settled_end(where));  // when it is over
  must(producer->prepare({}));
  const auto committed = producer->commit();
  BOOST_REQUIRE(!committed);
  BOOST_TEST(name_of(committed.error().code) == name_of(errc::indefinite),
             committed.error().text());
  producer = must(kafka::transactional_producer::open(options, name + ".slow"));
  must(producer->send(appends, true));
  must(producer->prepare({}));
  must(producer->commit());
  std::size_t records = 0;
  must(for_each_record(*log, name, [&](const record_view& r) -> result<void> {
    BOOST_TEST((r.offset >= written));
    ++records;
    return {};
  }));
  BOOST_TEST(records == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
