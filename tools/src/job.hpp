// What a command looks at: the log that --log names, and the app in it.
//
// Threading: plain functions; they block on the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa::tools {

enum class access { read, write };

/// The log, which must exist: a look never makes one. `option` is what named it. errc::bad_config:
/// it names none; errc::io: it cannot be opened.
[[nodiscard]] result<std::shared_ptr<event_log>> open_log_of(const common_options& common,
                                                             access how,
                                                             const std::string& option = "--log");

/// The apps that own topics of the log, in order.
[[nodiscard]] result<std::vector<std::string>> apps_of(event_log& log);
/// --app, or the one app of the log. errc::bad_config lists the apps when there are several;
/// errc::not_found: none, or not the one that was named.
[[nodiscard]] result<std::string> app_of(event_log& log, const common_options& common);

/// errc::bad_config: no partition has such a number; errc::not_found: `name`, a topic or a stage,
/// has `partitions` of them and not this one.
[[nodiscard]] result<void> check_partition(const std::string& name, std::int32_t partitions,
                                           std::int32_t asked);

/// "; did you mean X?", or nothing.
[[nodiscard]] std::string did_you_mean(const std::string& wrong,
                                       const std::vector<std::string>& words);

}  // namespace kappa::tools
