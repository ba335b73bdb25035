// Which groups this process is a member of, so that a commit can prove it.
//
// Threading: any thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "kafka/client.hpp"

namespace kappa::kafka {

class group_registry {
 public:
  /// `on_lost`: called on a member's thread when its tasks are lost; must not block for long.
  explicit group_registry(std::function<void()> on_lost) : on_lost_{std::move(on_lost)} {}

  void lost() { on_lost_(); }
  void joined(const std::string& group, client& member) {
    const std::lock_guard lock{mutex_};
    members_[group] = {&member, {}};
  }
  void left(const std::string& group) {
    const std::lock_guard lock{mutex_};
    members_[group] = {};
  }
  /// The member id under which this process has its tasks of that group; empty: it has none.
  void has_tasks_as(const std::string& group, const std::string& id) {
    const std::lock_guard lock{mutex_};
    members_[group].has_tasks_as = id;
  }
  /// As of now: a new one with each rebalance. Null: this process is no member at the moment,
  /// though it was or wants to be; what it commits as nobody the brokers would take without
  /// looking. Null too where it is another member by now than the one that was given the tasks: its
  /// session has ended in between, and they may be another's. Of a group that was never joined
  /// here: that of nobody, for tools while the app does not run.
  [[nodiscard]] group_metadata metadata_of(const std::string& group) const {
    const std::lock_guard lock{mutex_};
    const auto m = members_.find(group);
    if (m == members_.end())
      return group_metadata{rd_kafka_consumer_group_metadata_new(group.c_str())};
    const auto& [of, has_tasks_as] = m->second;
    if (of == nullptr) return nullptr;
    group_metadata now{rd_kafka_consumer_group_metadata(of->get())};
    if (!now || generation_of(*now) < 0) return nullptr;
    // After that: of one who becomes another only now, the brokers do not take it any more.
    if (!has_tasks_as.empty() && has_tasks_as != of->member_id()) return nullptr;
    return now;
  }

 private:
  // There is no call for it: it follows the magic word of what librdkafka writes.
  static std::int32_t generation_of(const rd_kafka_consumer_group_metadata_t& m) {
    constexpr std::size_t magic_bytes = 7;
    void* raw = nullptr;
    std::size_t size = 0;
    const fault f{rd_kafka_consumer_group_metadata_write(&m, &raw, &size)};
    const std::unique_ptr<void, void (*)(void*)> written{
        raw, [](void* p) { rd_kafka_mem_free(nullptr, p); }};
    std::int32_t generation = -1;
    if (!f && size >= magic_bytes + sizeof generation)
      std::memcpy(&generation, static_cast<const char*>(raw) + magic_bytes, sizeof generation);
    return generation;
  }

  struct entry {
    client* of = nullptr;  // null: it was one
    std::string has_tasks_as;
  };

  std::function<void()> on_lost_;
  mutable std::mutex mutex_;
  std::map<std::string, entry> members_;
};

}  // namespace kappa::kafka
