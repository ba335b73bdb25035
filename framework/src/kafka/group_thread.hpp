// The thread that serves all groups of an app in this process.
//
// Threading: made and destroyed on one thread; destroying it leaves the groups and blocks.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "kafka/group_member.hpp"
#include "kappa/core/bell.hpp"
#include "kappa/log/membership.hpp"

namespace kappa::kafka {

class group_thread final : public membership {
 public:
  [[nodiscard]] static result<std::unique_ptr<group_thread>> join(
      const kafka_log_options& options, const std::string& instance_id, const std::string& instance,
      const std::vector<stage_tasks>& stages, placement_listener& listener,
      group_registry& registry);
  ~group_thread() override;
  const std::string& process() const override { return process_; }

 private:
  void run();
  void wait_for_news();

  std::shared_ptr<bell> bell_ = std::make_shared<bell>();
  struct entry {
    std::function<result<std::unique_ptr<group_member>>()> join;
    std::unique_ptr<group_member> member;
    std::vector<std::chrono::steady_clock::time_point> fenced_at;  // of late
    // While somebody else has its name.
    std::optional<std::chrono::steady_clock::time_point> join_at;
    std::chrono::steady_clock::time_point owned_since{};
    std::chrono::steady_clock::time_point last_owned{};
  };
  [[nodiscard]] static bool waits_for_former_self(entry& e, const error& why);
  void look_at(entry& e);

  std::string process_;
  placement_listener* listener_ = nullptr;
  std::vector<entry> members_;
  std::atomic<bool> leaving_ = false;
  std::thread thread_;
};

}  // namespace kappa::kafka
