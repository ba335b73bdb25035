// Transactions that the brokers hold for over, and that are not.
//
// A broker that comes up does not know all leaders yet, takes partitions for deleted, and ends a
// transaction of before without its markers there (Kafka 4.4.0, seen after each second kill of a
// single broker: "Couldn't find leader endpoint for partitions … can be skipped"). What is left
// there is open for ever: readers of what is committed stop in front of it, offsets stay unstable
// (UNSTABLE_OFFSET_COMMIT). Worse: the marker of the same producer's next transaction there would
// end both, and so commit what was aborted.
//
// They are ended by a transaction of the same producer that touches those partitions.
//
// Threading: plain functions; they block.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "kafka/admin.hpp"
#include "kafka/transactional_producer.hpp"

namespace kappa::kafka {

/// All that a transactional id may have touched.
struct producer_reach {
  std::vector<topic_partition> partitions;
  std::map<std::string, std::vector<topic_partition>> offsets;  // by group
};
/// Of an app that writes these topics.
[[nodiscard]] producer_reach reach_of(const std::vector<topic_config>& written);

/// What another process's producer has open looks the same from here.
struct hanging_transactions {
  std::vector<partition_end> partitions;
  std::map<std::string, std::vector<topic_partition>> groups;  // with what is unsettled there
  [[nodiscard]] bool none() const { return partitions.empty() && groups.empty(); }
  /// One of them.
  [[nodiscard]] std::string text() const {
    return partitions.empty() ? "group " + groups.begin()->first : partitions.front().where.text();
  }
};

/// What is open now.
[[nodiscard]] result<hanging_transactions> find_open(admin& ask, const producer_reach& reach);
/// What of it is still open after `patience`; sooner, when nothing is.
[[nodiscard]] result<hanging_transactions> await_end(admin& ask, hanging_transactions open,
                                                     std::chrono::milliseconds patience);
/// In vain for what is another producer's: then an aborted record is written for nothing.
[[nodiscard]] result<void> abort_hanging(transactional_producer& producer,
                                         const hanging_transactions& hanging);
/// An offset that means nothing, to touch what a producer has open in a group.
[[nodiscard]] group_commit touch(const std::string& group);

}  // namespace kappa::kafka
