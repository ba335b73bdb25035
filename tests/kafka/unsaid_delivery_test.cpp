// Deliveries that librdkafka concludes although no broker has said so.
#include <librdkafka/rdkafka.h>
// Asks for the other to be first.
#include <librdkafka/rdkafka_mock.h>

#include <thread>

#include "kafka/messages.hpp"
#include "kafka/outside_producer.hpp"
#include "log/contract.hpp"

namespace {

using namespace log_contract;

/// A broker of librdkafka's own that takes any sequence of an idempotent producer, as a real one
/// does in a partition where it knows nothing of the producer, and refuses when it is told to.
/// (With a real one it happens when its topic is so new that it does not know it, for some
/// milliseconds.)
struct forgetful_broker {
  static constexpr int produce = 0;  // the number of that request

  forgetful_broker() {
    rd_kafka_mock_topic_create(brokers, "orders", 1, 1);
    rd_kafka_mock_start_request_tracking(brokers);
    options.brokers = rd_kafka_mock_cluster_bootstraps(brokers);
  }
  ~forgetful_broker() {
    rd_kafka_mock_cluster_destroy(brokers);
    rd_kafka_destroy(owner);
  }
  void refuse_next_append() {
    constexpr int answer_after_ms = 300;  // so that others are under way by then
    rd_kafka_mock_broker_push_request_error_rtts(
        brokers, 1, produce, 1, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, answer_after_ms);
  }

  /// Its answer is still on its way then.
  void wait_until_it_was_refused() {
    for (std::size_t n = 0; n < 2; std::this_thread::yield()) {
      n = 0;
      std::size_t all = 0;
      auto** requests = rd_kafka_mock_get_requests(brokers, &all);
      for (std::size_t i = 0; i < all; ++i)
        n += rd_kafka_mock_request_api_key(requests[i]) == produce;
      rd_kafka_mock_request_destroy_array(requests, all);
    }
  }
  std::unique_ptr<kafka::client> client() {
    auto settings = must(kafka::config::create(options, "test"));
    return must(kafka::client::open(RD_KAFKA_PRODUCER, std::move(settings), options.log));
  }

  rd_kafka_t* owner = rd_kafka_new(RD_KAFKA_PRODUCER, nullptr, nullptr, 0);
  rd_kafka_mock_cluster_t* brokers = rd_kafka_mock_cluster_new(owner, 1);
  kafka_log_options options;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_record_that_was_refused_is_not_lost_behind_one_that_was_taken) {
  forgetful_broker b;
  const auto client = b.client();
  kafka::admin ask{*client};
  kafka::outside_producer out{b.options, ask};
  must(out.append(tp("orders"), *batch_of({"first contact"})));
  b.refuse_next_append();
  result<kafka::outside_producer::receipt> first;
  std::thread other{[&] { first = out.append(tp("orders"), *batch_of({"refused at first"})); }};
  b.wait_until_it_was_refused();
  const auto second = must(out.append(tp("orders"), *batch_of({"taken"})));
  other.join();
  BOOST_TEST((must(first).base == offset{1}));
  BOOST_TEST((second.base == offset{2}));
}

BOOST_AUTO_TEST_CASE(delivered_without_an_offset_is_not_delivered) {
  forgetful_broker b;
  const auto client = b.client();
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
