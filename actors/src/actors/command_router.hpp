// Brings a command to the task that owns its key.
//
// Threading: any thread. Ownership: topology and tasks must outlive it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <typeindex>

#include "actors/running_tasks.hpp"
#include "kappa/actors/ask.hpp"
#include "kappa/stream/topology.hpp"

namespace kappa::detail {

class command_router {
 public:
  command_router(const topology& of, const running_tasks& tasks) : topology_{of}, tasks_{tasks} {}

  /// The stage of that aggregate. errc::invalid_argument: its keys are of another type.
  [[nodiscard]] result<std::string> stage_of(const aggregate_address& type) const;
  /// Answered at once where it cannot be given to a task.
  void send(command_call call, const aggregate_address& type) const;
  /// Blocks.
  [[nodiscard]] ask_result ask(command_call call, const aggregate_address& type,
                               std::chrono::milliseconds timeout) const;

 private:
  const topology& topology_;
  const running_tasks& tasks_;
};

}  // namespace kappa::detail
