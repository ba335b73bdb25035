// What an operator does to topics and rights with Kafka's own tools.
//
// Threading: one thread. Errors fail the test.
#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <string>
#include <vector>

namespace kafka_test {

class raw_admin {
 public:
  raw_admin();  // on the shared brokers
  explicit raw_admin(const std::string& brokers);
  ~raw_admin();
  raw_admin(const raw_admin&) = delete;
  raw_admin& operator=(const raw_admin&) = delete;

  void delete_topic(const std::string& topic);
  /// To so many in all.
  void add_partitions(const std::string& topic, std::int32_t total);
  void set(const std::string& topic, const std::string& setting, const std::string& value);
  /// All before `first`, as retention would.
  void delete_records(const std::string& topic, std::int32_t partition, std::int64_t first);
  /// What a group has committed of one partition; -1001: nothing (librdkafka's "invalid").
  [[nodiscard]] std::int64_t committed(const std::string& group, const std::string& topic,
                                       std::int32_t partition);
  void delete_committed(const std::string& group, const std::string& topic, std::int32_t partition);
  /// Allows `principal` ("User:alice") the operations ("DESCRIBE_CONFIGS") on the resource: kind
  /// TOPIC, GROUP or TRANSACTIONAL_ID; a name that ends in * is a prefix, and * alone is all.
  /// Returns when it is so.
  void grant(const std::string& principal, const std::string& kind, const std::string& name,
             const std::vector<std::string>& operations);

 private:
  template <class Send>
  void ask(Send&& send);
  template <class Send, class Look>
  void ask(Send&& send, Look&& look);
  rd_kafka_t* client_;
};

}  // namespace kafka_test
