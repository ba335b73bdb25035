// Task figures in Prometheus' text format, by prometheus-cpp.
#pragma once

#include <string>
#include <vector>

#include "kappa/actors/host.hpp"

namespace kappa::detail {

[[nodiscard]] std::string metrics_text(const std::string& app,
                                       const std::vector<task_status>& tasks);

}  // namespace kappa::detail
