// What a broker's restart leaves of transactions.
#include "kafka/instance.hpp"
#include "kafka/names.hpp"
#include "kafka/raw_transaction_support.hpp"
#include "kappa/log/kafka_log.hpp"
#include "log/log_fixtures.hpp"
#include "support/kafka_broker.hpp"

namespace {

using namespace log_contract;
using namespace std::chrono_literals;

const stage_tasks hanging_stage{"hanging", "count", generation{1}, 1};

}  // namespace

BOOST_AUTO_TEST_SUITE(unsettled_transactions)

// While it comes up the broker aborts the transaction, which is too old by then, but for lack of a
// leader leaves out the markers. They would come with the writer's next transaction, as a commit.
BOOST_AUTO_TEST_CASE(
    what_was_aborted_while_the_broker_came_up_is_never_committed_and_stops_nobody) {
  kappa::testing::kafka_broker broker;
  temporary_folder folder;
  kafka_log_options options;
  options.brokers = broker.bootstrap();
  options.instance_folder = folder.path() / "instance";
  auto log = must(open_kafka_log(options));
  topic_config c;
  c.name = "out";
  c.owner = hanging_stage.app;
  must(log->create_topic(c));
  topic_config asked;  // what is written from outside for an app it writes too
  asked.name = "hanging.count.commands";
  must(log->create_topic(asked));
  must(log->make_room(hanging_stage));
  {
    // The writer of that app's last life.
    const auto instance = must(kafka::instance::open(options.instance_folder)).id();
    kafka_test::raw_transaction before{options, hanging_stage.app + "." + instance + ".0"};
    before.append("out", "aborted");
    before.append(asked.name, "aborted");
    before.move(kafka_test::moving(
        kafka::group_of(hanging_stage.app, hanging_stage.stage, hanging_stage.generation),
        {kafka::tasks_topic(hanging_stage.app, hanging_stage.stage, hanging_stage.generation),
         partition{0}},
        "aborted"));
    broker.kill_node(1);
  }
  broker.start_node(1);
  broker.wait_usable();

  const auto writer = must(log->open_writer({hanging_stage.app, "a test"}));
  BOOST_TEST(!must(log->position(key_of(hanging_stage.app, hanging_stage.stage, "in"))));
  log_transaction tx;
  tx.appends.push_back({tp("out"), batch_of({"committed"})});
  must(writer->commit(tx));
  BOOST_TEST(values_of(*log, tp("out")) == std::vector<std::string>{"committed"},
             boost::test_tools::per_element());
  must(log->append(tp(asked.name), *batch_of({"from outside"})));
  BOOST_TEST(values_of(*log, tp(asked.name)) == std::vector<std::string>{"from outside"},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
