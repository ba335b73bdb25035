// Plain clients of librdkafka, for what is measured against and for what looks on: nothing of the
// engine's is in their way.
//
// Threading: one thread. Errors: exceptions.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>

#include "kafka/client.hpp"

namespace bench::kafka {

using kappa::kafka::fault;
using kappa::kafka::partition_list;
using kappa::kafka::topic_handle;
using handle = std::unique_ptr<rd_kafka_t, kappa::kafka::destroyer<rd_kafka_destroy>>;
using settings = std::map<std::string, std::string>;

void expect_ok(rd_kafka_resp_err_t code, const char* what);
void expect_ok(const fault& f, const char* what);

[[nodiscard]] handle open_producer(settings s);
[[nodiscard]] topic_handle open_topic(const handle& of, const std::string& topic);

/// Reads topics of a number of partitions by one queue.
class plain_consumer {
 public:
  /// Takes part in the group `s` names.
  static plain_consumer of_group(settings s, const std::string& topic);
  /// All of `partitions`, from `offset` on, in no group.
  static plain_consumer of_all(settings s, const std::string& topic, std::int32_t partitions,
                               std::int64_t offset);

  /// Calls f(message) for each message at hand; waits up to `wait_ms` for the first. Gives their
  /// number.
  template <class F>
  std::size_t take(int wait_ms, F&& f) {
    std::array<rd_kafka_message_t*, 2000> got;
    // Of a batch it would wait for all.
    auto n = rd_kafka_consume_batch_queue(queue_.get(), 0, got.data(), got.size());
    if (n == 0 && wait_ms > 0)
      n = rd_kafka_consume_batch_queue(queue_.get(), wait_ms, got.data(), 1);
    if (n < 0) expect_ok(rd_kafka_last_error(), "consume");
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      expect_ok(got[i]->err, "consume");
      f(*got[i]);
      rd_kafka_message_destroy(got[i]);
    }
    return static_cast<std::size_t>(n);
  }
  [[nodiscard]] rd_kafka_t* get() const { return consumer_.get(); }

 private:
  explicit plain_consumer(handle consumer);
  handle consumer_;
  kappa::kafka::queue queue_;
};

}  // namespace bench::kafka
