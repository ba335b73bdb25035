// A broker of librdkafka's own, for answers that a real one gives only in moments that a test
// cannot choose.
//
// Threading: one thread.
#pragma once

#include <librdkafka/rdkafka.h>
// Asks for the other to be first.
#include <librdkafka/rdkafka_mock.h>

#include <string>

namespace kappa::test {

class mock_brokers {
 public:
  /// With topic "orders", of one partition.
  mock_brokers() {
    rd_kafka_mock_topic_create(brokers_, "orders", 1, 1);
    rd_kafka_mock_start_request_tracking(brokers_);
  }
  ~mock_brokers() {
    rd_kafka_mock_cluster_destroy(brokers_);
    rd_kafka_destroy(owner_);
  }
  mock_brokers(const mock_brokers&) = delete;
  mock_brokers& operator=(const mock_brokers&) = delete;

  [[nodiscard]] std::string bootstrap() const { return rd_kafka_mock_cluster_bootstraps(brokers_); }
  /// The next request with this number of the protocol is answered so, and that late.
  void answer(int request, rd_kafka_resp_err_t how, int after_ms = 0) {
    rd_kafka_mock_broker_push_request_error_rtts(brokers_, 1, std::int16_t(request), 1, how,
                                                 after_ms);
  }
  /// Requests with this number so far.
  [[nodiscard]] std::size_t count(int request) const {
    std::size_t all = 0;
    std::size_t n = 0;
    auto** requests = rd_kafka_mock_get_requests(brokers_, &all);
    for (std::size_t i = 0; i < all; ++i)
      n += rd_kafka_mock_request_api_key(requests[i]) == request ? 1 : 0;
    rd_kafka_mock_request_destroy_array(requests, all);
    return n;
  }

 private:
  rd_kafka_t* owner_ = rd_kafka_new(RD_KAFKA_PRODUCER, nullptr, nullptr, 0);
  rd_kafka_mock_cluster_t* brokers_ = rd_kafka_mock_cluster_new(owner_, 1);
};

}  // namespace kappa::test
