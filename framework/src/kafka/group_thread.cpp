#include "kafka/group_thread.hpp"

#include <algorithm>
#include <chrono>

namespace kappa::kafka {
namespace {

// librdkafka takes a member that does not look at its queue for dead.
constexpr std::chrono::milliseconds look_again{200};
constexpr std::chrono::seconds patience_with_leaving{5};

}  // namespace

result<std::unique_ptr<group_thread>> group_thread::join(const kafka_log_options& options,
                                                         const std::string& instance_id,
                                                         const std::string& instance,
                                                         const std::vector<stage_tasks>& stages,
                                                         placement_listener& listener,
                                                         group_registry& registry) {
  auto t = std::make_unique<group_thread>();
  for (const auto& stage : stages) {
    auto member = group_member::join(options, instance_id, instance, stage, listener, registry,
                                     [b = t->bell_] { b->ring(); });
    if (!member) return fail(member.error());
    t->members_.push_back(std::move(*member));
  }
  t->thread_ = std::thread{[raw = t.get()] { raw->run(); }};
  return t;
}

group_thread::~group_thread() {
  leaving_ = true;
  bell_->ring();
  if (thread_.joinable()) thread_.join();
}

void group_thread::run() {
  while (!leaving_) {
    for (const auto& m : members_) m->serve();
    (void)bell_->wait_until(std::chrono::steady_clock::now() + look_again);
  }
  for (const auto& m : members_) m->leave();
  const auto until = std::chrono::steady_clock::now() + patience_with_leaving;
  while (std::chrono::steady_clock::now() < until &&
         !std::all_of(members_.begin(), members_.end(), [](const auto& m) { return m->left(); })) {
    for (const auto& m : members_) m->serve();
    (void)bell_->wait_until(std::chrono::steady_clock::now() + look_again);
  }
}

}  // namespace kappa::kafka
