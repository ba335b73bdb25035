// What an app says of one of its aggregates.
//
// Threading: a plain value.
#pragma once

#include <vector>

#include "kappa/aggregate/command_window.hpp"
#include "kappa/aggregate/published.hpp"

namespace kappa {

struct aggregate_options {
  command_window_options command_window{};
  /// The topics to which its decisions publish, made by kappa::published.
  std::vector<published_topic> publishes{};
};

}  // namespace kappa
