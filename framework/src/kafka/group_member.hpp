// One group of Kafka's, of one stage: which of its tasks are here. Subscribes to the stage's tasks
// topic, reads nothing of it.
//
// A revocation is answered when all its tasks have said that they are done; until then the group
// waits, and what they commit still counts.
//
// Threading: `serve` on one thread; `done` callbacks of tasks on any.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "kafka/client.hpp"
#include "kafka/group_registry.hpp"
#include "kafka/group_watch.hpp"
#include "kafka/topic_watch.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/log/membership.hpp"

namespace kappa::kafka {

class group_member {
 public:
  /// `wake` is called when `serve` has something to do, from any thread; it must not block.
  [[nodiscard]] static result<std::unique_ptr<group_member>> join(
      const kafka_log_options& options, const std::string& instance_id, const std::string& instance,
      const stage_tasks& stage, placement_listener& listener, group_registry& registry,
      std::function<void()> wake);
  ~group_member();

  void serve();
  /// Leaves; goes on by `serve` until `left`.
  void leave();
  [[nodiscard]] bool left() const;
  /// The brokers took its identity for somebody else's, and its tasks have ended: this object is of
  /// no use any more, a new one may be. A process whose folder was copied is fenced time and again,
  /// one that the brokers mixed up with itself (a join that was repeated) is not.
  [[nodiscard]] const std::optional<error>& fenced() const;

 private:
  struct revocation {
    std::mutex mutex;
    std::size_t open = 0;
    partition_list partitions;
  };
  group_member(const stage_tasks& stage, placement_listener& listener, group_registry& registry,
               std::function<void()> wake);
  /// A change of what a member wants calls a round.
  [[nodiscard]] result<void> subscribe(bool otherwise);
  void watch();
  void rebalance(rd_kafka_event_t* e);
  void given(const rd_kafka_topic_partition_list_t& partitions);
  void taken(const rd_kafka_topic_partition_list_t& partitions, bool lost);
  void finish_revocation();
  void fence(error e);
  void check_identity();
  [[nodiscard]] bool is_shut_out();
  void has_tasks_as(std::string id);
  void failed(const error& e);

  stage_tasks stage_;
  std::string group_;
  std::string topic_;
  placement_listener& listener_;
  group_registry& registry_;
  std::function<void()> wake_;
  std::unique_ptr<client> client_;
  queue events_;
  bool classic_ = true;
  bool leaving_ = false;
  std::optional<group_watch> watch_;
  std::optional<topic_watch> topic_watch_;
  bool subscribed_otherwise_ = false;
  std::shared_ptr<revocation> revoking_;
  std::set<partition> here_;
  std::string has_them_as_;  // the member id
  bool failed_ = false;
  std::chrono::steady_clock::time_point refused_first_;
  std::chrono::steady_clock::time_point refused_last_;
  std::optional<error> fenced_;
};

}  // namespace kappa::kafka
