// What a broker's restart leaves of transactions.
#include "kafka/client.hpp"
#include "kafka/instance.hpp"
#include "kafka/messages.hpp"
#include "kafka/names.hpp"
#include "kappa/log/kafka_log.hpp"
#include "log/log_fixtures.hpp"
#include "support/kafka_broker.hpp"

namespace {

using namespace log_contract;
using namespace std::chrono_literals;

const stage_tasks stage{"hanging", "count", generation{1}, 1};

/// The writer of that app's last life, in the middle of a transaction.
class predecessor {
 public:
  explicit predecessor(const kafka_log_options& options) {
    auto settings = must(kafka::config::create(options, "test"));
    const auto id = must(kafka::instance::open(options.instance_folder)).id();
    must(settings.set("transactional.id", stage.app + "." + id + ".0"));
    must(settings.set("transaction.timeout.ms", "1000"));
    client_ = must(kafka::client::open(RD_KAFKA_PRODUCER, std::move(settings), options.log));
    good(rd_kafka_init_transactions(client_->get(), 30'000));
    good(rd_kafka_begin_transaction(client_->get()));
  }
  void append(const std::string& topic, const std::string& value) {
    const kafka::topic_handle to{rd_kafka_topic_new(client_->get(), topic.c_str(), nullptr)};
    const auto batch = batch_of({value});
    batch->for_each([&](const record_view& r) {
      BOOST_REQUIRE(kafka::produce(client_->get(), to.get(), 0, r, nullptr) == 0);
    });
    BOOST_REQUIRE(rd_kafka_flush(client_->get(), 30'000) == 0);
  }
  void move_position() {
    const auto group = kafka::group_of(stage.app, stage.stage, stage.generation);
    const kafka::partition_list offsets{rd_kafka_topic_partition_list_new(1)};
    rd_kafka_topic_partition_list_add(
        offsets.get(), kafka::tasks_topic(stage.app, stage.stage, stage.generation).c_str(), 0)
        ->offset = 0;
    const kafka::group_metadata who{rd_kafka_consumer_group_metadata_new(group.c_str())};
    good(rd_kafka_send_offsets_to_transaction(client_->get(), offsets.get(), who.get(), 30'000));
  }

 private:
  static void good(rd_kafka_error_t* e) {
    const kafka::fault f{e};
    BOOST_REQUIRE_MESSAGE(!f, rd_kafka_error_string(f.get()));
  }
  std::unique_ptr<kafka::client> client_;
};

}  // namespace

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
  c.owner = stage.app;
  must(log->create_topic(c));
  must(log->make_room(stage));
  {
    predecessor before{options};
    before.append("out", "aborted");
    before.move_position();
    broker.kill_node(1);
  }
  broker.start_node(1);
  broker.wait_usable();

  const auto writer = must(log->open_writer({stage.app, "a test"}));
  BOOST_TEST(!must(log->position(key_of(stage.app, stage.stage, "in"))));
  log_transaction tx;
  tx.appends.push_back({tp("out"), batch_of({"committed"})});
  must(writer->commit(tx));
  BOOST_TEST(values_of(*log, tp("out")) == std::vector<std::string>{"committed"},
             boost::test_tools::per_element());
}
