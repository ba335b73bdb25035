// Deliveries that librdkafka concludes although no broker has said so, and those after which it
// takes no more.
#include <thread>

#include "kafka/messages.hpp"
#include "kafka/mock_brokers_support.hpp"
#include "kafka/outside_producer.hpp"
#include "kappa/log/memory_log.hpp"
#include "log/contract.hpp"

namespace {

using namespace log_contract;

constexpr int produce = 0;  // the number of that request

/// The broker takes any sequence of an idempotent producer, as a real one does in a partition where
/// it knows nothing of the producer. (A real one refuses for some milliseconds, when its topic is
/// so new that it does not know it.)
struct forgetful_broker {
  forgetful_broker() { options.brokers = brokers.bootstrap(); }
  void refuse_next_append() {
    // So late that others are under way by then.
    brokers.answer(produce, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, 300);
  }

  kappa::test::mock_brokers brokers;
  kafka_log_options options;
};

/// An append to it went well.
struct outside_appends : forgetful_broker {
  outside_appends() { must(out.append(tp("orders"), *batch_of({"first contact"}))); }

  std::unique_ptr<kafka::client> client = must(kafka::open_admin_client(options));
  kafka::admin ask{*client};
  kafka::doubtful_commits doubts;
  std::shared_ptr<memory_log> nothing_sent = memory_log::create();
  kafka::outside_producer out{{options, ask, doubts, *nothing_sent}};
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_record_that_was_refused_is_not_lost_behind_one_that_was_taken) {
  outside_appends b;
  b.refuse_next_append();
  result<kafka::outside_producer::receipt> first;
  std::thread other{[&] { first = b.out.append(tp("orders"), *batch_of({"refused at first"})); }};
  while (b.brokers.count(produce) < 2) std::this_thread::yield();  // its answer is on its way
  const auto second = must(b.out.append(tp("orders"), *batch_of({"taken"})));
  other.join();
  BOOST_TEST((must(first).base == offset{1}));
  BOOST_TEST((second.base == offset{2}));
}

// Of an idempotent producer whose broker has lost what it had taken before.
BOOST_AUTO_TEST_CASE(a_producer_that_came_to_its_end_is_followed_by_another) {
  outside_appends b;
  b.brokers.answer(produce, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
  BOOST_TEST(!b.out.append(tp("orders"), *batch_of({"refused"})));
  BOOST_TEST((must(b.out.append(tp("orders"), *batch_of({"by the next one"}))).base == offset{1}));
}

BOOST_AUTO_TEST_CASE(delivered_without_an_offset_is_not_delivered) {
  forgetful_broker b;
  const auto client = must(kafka::open_admin_client(b.options));
  const kafka::topic_handle topic{rd_kafka_topic_new(client->get(), "orders", nullptr)};
  rd_kafka_message_t m{};
  m.rkt = topic.get();
  m.offset = 7;
  BOOST_TEST((must(kafka::delivered_at(*client, m)) == offset{7}));
  m.offset = RD_KAFKA_OFFSET_INVALID;
  must_fail(kafka::delivered_at(*client, m), errc::indefinite, "orders[0]");
  m.err = RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
  must_fail(kafka::delivered_at(*client, m), errc::denied, "orders[0]");
}
