// Name of a task: partition n of a stage of an app, in one generation.
#pragma once

#include <string>

#include <fmt/format.h>

#include "kappa/core/strong.hpp"

namespace kappa {

struct task_id {
  std::string app;
  std::string stage;
  kappa::generation generation{1};
  kappa::partition partition;

  friend auto operator<=>(const task_id&, const task_id&) = default;
  friend bool operator==(const task_id&, const task_id&) = default;
  /// "flights/hourly-delays.g1[3]"
  [[nodiscard]] std::string text() const {
    return fmt::format("{}/{}.g{}[{}]", app, stage, generation.value, partition.value);
  }
};

}  // namespace kappa
