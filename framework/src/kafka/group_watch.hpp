// Whether every task of a stage has an owner in its group.
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

#include "kafka/client.hpp"

namespace kappa::kafka {

class group_watch {
 public:
  enum class sight {
    nothing,  // it is not time yet, the group is in the middle of something, or others see to it
    whole,
    gap,  // seen twice: it is on this member to call a round
  };

  /// `of`, this member's client, must outlive it. `topic` has a partition for each task.
  group_watch(client& of, std::string group, std::string topic, std::int32_t tasks)
      : client_{of}, group_{std::move(group)}, topic_{std::move(topic)}, tasks_{tasks} {}

  [[nodiscard]] sight look();

 private:
  void ask();
  /// Nothing: the group has not settled.
  [[nodiscard]] std::optional<sight> judge(const rd_kafka_ConsumerGroupDescription_t& group) const;

  client& client_;
  std::string group_;
  std::string topic_;
  std::int32_t tasks_;
  queue answers_;  // while one is waited for
  std::chrono::steady_clock::time_point next_;
  bool gap_seen_ = false;
};

}  // namespace kappa::kafka
