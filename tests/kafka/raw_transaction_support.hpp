// A transaction of librdkafka's, as a process has it that may die at any step.
#pragma once

#include <string>

#include "kafka/messages.hpp"
#include "kafka/transactional_producer.hpp"
#include "kappa/log/kafka_log.hpp"
#include "log/log_fixtures.hpp"
#include "support/must.hpp"

namespace kafka_test {

class raw_transaction {
 public:
  raw_transaction(const kappa::kafka_log_options& options, const std::string& id,
                  std::chrono::milliseconds timeout = std::chrono::seconds{1}) {
    using kappa::test::must;
    auto settings = must(kappa::kafka::config::create(options, "test"));
    must(settings.set("transactional.id", id));
    must(settings.set("transaction.timeout.ms", std::to_string(timeout.count())));
    client_ = must(kappa::kafka::client::open(RD_KAFKA_PRODUCER, std::move(settings), options.log));
    good(rd_kafka_init_transactions(client_->get(), 30'000));
    good(rd_kafka_begin_transaction(client_->get()));
  }
  /// Gives what was appended, once the broker has it.
  std::shared_ptr<const kappa::record_batch> append(const std::string& topic,
                                                    const std::string& value) {
    const kappa::kafka::topic_handle to{rd_kafka_topic_new(client_->get(), topic.c_str(), nullptr)};
    const auto batch = log_contract::batch_of({value});
    batch->for_each([&](const kappa::record_view& r) {
      BOOST_REQUIRE(kappa::kafka::produce(client_->get(), to.get(), 0, r, nullptr) == 0);
    });
    BOOST_REQUIRE(rd_kafka_flush(client_->get(), 30'000) == 0);
    return batch;
  }
  void move(const kappa::kafka::group_commit& c) {
    good(
        rd_kafka_send_offsets_to_transaction(client_->get(), c.offsets.get(), c.who.get(), 30'000));
  }
  void commit() { good(rd_kafka_commit_transaction(client_->get(), 30'000)); }
  void abort() { good(rd_kafka_abort_transaction(client_->get(), 30'000)); }

 private:
  static void good(rd_kafka_error_t* e) {
    const kappa::kafka::fault f{e};
    BOOST_REQUIRE_MESSAGE(!f, rd_kafka_error_string(f.get()));
  }
  std::unique_ptr<kappa::kafka::client> client_;
};

/// Offset 0 of one partition.
inline kappa::kafka::group_commit moving(const std::string& group,
                                         const kappa::topic_partition& where,
                                         const std::string& metadata) {
  kappa::kafka::group_commit c;
  c.group = group;
  c.offsets = kappa::kafka::list_of(where, 0, metadata);
  c.who.reset(rd_kafka_consumer_group_metadata_new(group.c_str()));
  return c;
}

}  // namespace kafka_test
