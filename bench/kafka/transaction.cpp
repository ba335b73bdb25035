#include "kafka/transaction.hpp"

namespace bench::kafka {
namespace {

constexpr int patience_ms = 60'000;

}  // namespace

transaction::transaction(const std::string& address, const std::string& id, std::string input,
                         rd_kafka_t* consumer)
    : input_{std::move(input)},
      consumer_{consumer},
      producer_{open_producer({{"bootstrap.servers", address},
                               {"transactional.id", id},
                               {"linger.ms", "5"},
                               {"queue.buffering.max.messages", "1000000"}})} {
  expect_ok(fault{rd_kafka_init_transactions(producer_.get(), patience_ms)}, "init");
}

void transaction::begin() {
  expect_ok(fault{rd_kafka_begin_transaction(producer_.get())}, "begin");
}

void transaction::commit() {
  const partition_list offsets{rd_kafka_topic_partition_list_new(static_cast<int>(next_.size()))};
  for (std::size_t p = 0; p < next_.size(); ++p) {
    if (next_[p] == RD_KAFKA_OFFSET_INVALID) continue;
    rd_kafka_topic_partition_list_add(offsets.get(), input_.c_str(), static_cast<std::int32_t>(p))
        ->offset = next_[p];
  }
  const kappa::kafka::group_metadata who{rd_kafka_consumer_group_metadata(consumer_)};
  expect_ok(fault{rd_kafka_send_offsets_to_transaction(producer_.get(), offsets.get(), who.get(),
                                                       patience_ms)},
            "offsets");
  expect_ok(fault{rd_kafka_commit_transaction(producer_.get(), patience_ms)}, "commit");
}

}  // namespace bench::kafka
