// Which groups this process is a member of, so that a commit can prove it.
//
// Threading: any thread.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "kafka/client.hpp"

namespace kappa::kafka {

class group_registry {
 public:
  void joined(const std::string& group, client& member) {
    const std::lock_guard lock{mutex_};
    members_[group] = &member;
  }
  void left(const std::string& group) {
    const std::lock_guard lock{mutex_};
    members_.erase(group);
  }
  /// As of now: a new one with each rebalance. Of a group that was not joined: that of nobody,
  /// which the brokers let pass only while the group is empty.
  [[nodiscard]] group_metadata metadata_of(const std::string& group) const {
    const std::lock_guard lock{mutex_};
    if (const auto m = members_.find(group); m != members_.end())
      return group_metadata{rd_kafka_consumer_group_metadata(m->second->get())};
    return group_metadata{rd_kafka_consumer_group_metadata_new(group.c_str())};
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, client*> members_;
};

}  // namespace kappa::kafka
