// Brings a command to the task that owns its key: to one of this process, or through the log.
//
// Threading: any thread. Ownership: topology, tasks and client must outlive it.
#pragma once

#include <chrono>
#include <memory>

#include "actors/running_tasks.hpp"
#include "kappa/actors/aggregate_client.hpp"
#include "kappa/actors/ask.hpp"
#include "kappa/stream/topology.hpp"

namespace kappa::detail {

/// Asks for keys whose tasks other processes have; null: they have none. Blocks.
[[nodiscard]] result<std::unique_ptr<aggregate_client>> client_for_others(
    std::shared_ptr<event_log> log, std::shared_ptr<const topology> of, log_sink log_to);

class command_router {
 public:
  /// `elsewhere`: asks other processes; null: there are none.
  command_router(const topology& of, const running_tasks& tasks, aggregate_client* elsewhere)
      : topology_{of}, tasks_{tasks}, elsewhere_{elsewhere} {}

  /// Answered at once where it can go nowhere.
  void send(command_call call, const aggregate_address& type,
            std::chrono::milliseconds timeout) const;

 private:
  const topology& topology_;
  const running_tasks& tasks_;
  aggregate_client* elsewhere_;
};

}  // namespace kappa::detail
