// Appends from outside of any app: an idempotent producer that all threads share; and, for those
// that carry a sequence of their own, a transaction that moves the producer's position along, so
// that a repetition is known also after a restart.
//
// Threading: any thread; blocks until the brokers have what was appended.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "kafka/client.hpp"
#include "kafka/settled_producer.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa::kafka {

class outside_producer {
 public:
  explicit outside_producer(settled_producer::surroundings around);
  ~outside_producer();

  struct receipt {
    offset base;
    /// By the broker's clock, of a topic that keeps the time at which records were appended.
    std::optional<timestamp> taken_at;
  };
  /// All records of one call lie side by side.
  [[nodiscard]] result<receipt> append(const topic_partition& to, const record_batch& records);
  [[nodiscard]] result<append_receipt> append(const topic_partition& to,
                                              const record_batch& records,
                                              const producer_sequence& sequence);

 private:
  struct delivery;
  struct line;
  static void delivered(rd_kafka_t*, const rd_kafka_message_t* m, void* opaque);
  [[nodiscard]] result<std::shared_ptr<line>> open();
  struct sequenced {
    std::unique_ptr<settled_producer> producer;
    std::uint64_t used = 0;
  };
  using sequenced_key = std::pair<std::string, topic_partition>;  // its name, and where it appends
  [[nodiscard]] result<settled_producer*> producer(const sequenced_key& key);

  const settled_producer::surroundings around_;
  std::mutex mutex_;
  std::shared_ptr<line> line_;

  std::mutex sequences_mutex_;
  std::map<sequenced_key, sequenced> sequenced_;
  std::uint64_t uses_ = 0;
};

}  // namespace kappa::kafka
