// The app of a command, running or not.
//
// Threading: the main thread; it blocks.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "command_line.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa::tools {

struct app_at_hand {
  std::shared_ptr<event_log> log;  // to write when somebody has the app, or as `open_app` was told
  std::string app;
  std::optional<std::string> holder;  // "pid 4711"; nothing: it is stopped
};

/// `write`: requests are to be sent whether it runs or not.
[[nodiscard]] result<app_at_hand> open_app(const common_options& common, bool write = false);

/// After this a process that has not answered is taken not to.
inline constexpr std::chrono::milliseconds answer_patience{15'000};

}  // namespace kappa::tools
