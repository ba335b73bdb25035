// The stages that an app has run with, as the log tells those who have not its program: by the
// epochs topics, and the schemas of its states.
//
// Threading: a plain function; it blocks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kappa/core/error.hpp"
#include "kappa/core/strong.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa {

struct stage_in_log {
  std::string name;
  kappa::generation generation;
  std::int32_t tasks = 0;
  bool keyed = false;
  bool windowed = false;
};

/// By name, the newest generation of each last.
[[nodiscard]] result<std::vector<stage_in_log>> stages_in_log(event_log& log,
                                                              const std::string& app);

}  // namespace kappa
