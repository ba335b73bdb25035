// What a member of a group looks for among the others: tasks without an owner, and another program.
//
// A rebalance of the classic protocol has two rounds: in the first, members give tasks up; whoever
// did so calls the second, in which others get them. One that is killed in between and is back
// under its static name is given what it had, without a round, and does not know that it should
// call one: tasks without an owner, until anybody joins. So each member looks, and the first among
// them calls. (The protocol KIP-848 has no rounds.)
//
// Threading: one thread; never blocks.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "kafka/admin.hpp"
#include "kafka/repeated_question.hpp"

namespace kappa::kafka {

class group_watch {
 public:
  enum class sight {
    nothing,  // it is not time yet, the group is in the middle of something, or others see to it
    whole,
    gap,       // seen twice: it is on this member to call a round
    stranger,  // for longer than one that has died is a member
  };

  /// `of`, this member's client, must outlive it. The tasks topic has a partition for each task.
  /// `lingering`: for how long one that has died may be a member.
  group_watch(client& of, stage_tasks stage, std::chrono::milliseconds lingering);

  [[nodiscard]] sight look();
  /// As an error, after that sight.
  [[nodiscard]] const error& stranger() const { return *stranger_; }

 private:
  /// Nothing: the group has not settled.
  [[nodiscard]] std::optional<sight> judge(const rd_kafka_ConsumerGroupDescription_t& group);
  [[nodiscard]] bool is_mixed(const std::vector<member_description>& members);

  client& client_;
  stage_tasks stage_;
  std::string group_;
  std::string topic_;
  std::chrono::milliseconds lingering_;
  repeated_question question_;
  bool gap_seen_ = false;
  std::optional<error> stranger_;
  std::chrono::steady_clock::time_point stranger_since_;
  std::chrono::steady_clock::time_point stranger_seen_;
};

}  // namespace kappa::kafka
