#include "actors/command_router.hpp"

#include <algorithm>
#include <utility>

#include "kappa/core/partitioner.hpp"

namespace kappa::detail {

result<std::unique_ptr<aggregate_client>> client_for_others(std::shared_ptr<event_log> log,
                                                            std::shared_ptr<const topology> of,
                                                            log_sink log_to) {
  const auto& stages = of->stages();
  if (!log->places_tasks() ||
      std::none_of(stages.begin(), stages.end(), [](const auto& s) { return s.aggregate; }))
    return std::unique_ptr<aggregate_client>{};
  return aggregate_client::open(std::move(log), std::move(of), std::move(log_to));
}

void command_router::send(command_call call, const aggregate_address& type,
                          std::chrono::milliseconds timeout) const {
  const auto refused = [&](const error& e) { tell(call.done, e); };
  const auto stage = topology_.find_aggregate(type.aggregate, type.key_fingerprint);
  if (!stage) return refused(stage.error());
  const auto tasks = tasks_.of_stage((*stage)->name);
  if (!tasks) return refused(tasks.error());
  const auto p = partition_of(call.key, static_cast<std::int32_t>(tasks->size()));
  const auto sent = tasks_.send((*tasks)[static_cast<std::size_t>(p.value)], call);
  if (sent) return;
  if (sent.error().code != errc::elsewhere || elsewhere_ == nullptr) return refused(sent.error());
  elsewhere_->send(std::move(call), type, timeout);
}

}  // namespace kappa::detail
