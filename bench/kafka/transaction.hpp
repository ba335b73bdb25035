// A hand-written exactly-once output: one transaction after the other, with the positions of the
// input.
//
// Threading: one thread. Errors: exceptions.
#pragma once

#include <string>
#include <vector>

#include "kafka/plain_client.hpp"

namespace bench::kafka {

class transaction {
 public:
  /// For `input`, read by this member of a group; which must live longer.
  transaction(const std::string& address, const std::string& id, std::string input,
              rd_kafka_t* consumer);
  [[nodiscard]] const handle& producer() const { return producer_; }

  /// The message is dealt with once the transaction is committed.
  void done_with(const rd_kafka_message_t& m) {
    const auto partition = static_cast<std::size_t>(m.partition);
    if (partition >= next_.size()) next_.resize(partition + 1, RD_KAFKA_OFFSET_INVALID);
    next_[partition] = m.offset + 1;
  }
  void begin();
  /// Waits for it.
  void commit();

 private:
  std::string input_;
  rd_kafka_t* consumer_;
  handle producer_;
  std::vector<std::int64_t> next_;  // of each partition
};

}  // namespace bench::kafka
