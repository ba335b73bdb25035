// What the log and the states tell of an app that does not run, in the words of its admin messages.
//
// Threading: plain functions; they block on the disk.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kappa/admin.kappa.hpp"
#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/task/stages_in_log.hpp"

namespace kappa::tools {

/// errc::not_found: the app has not run with such a stage; it names the nearest one.
[[nodiscard]] result<void> check_stage(event_log& log, const std::string& app,
                                       const std::string& stage);

/// The newest generation of a stage that keeps state. errc::not_found names the nearest one.
[[nodiscard]] result<stage_in_log> find_keyed_stage(event_log& log, const std::string& app,
                                                    const std::string& stage);

/// `state`: the folder that --state names. What is missing or cannot be opened of a state is in its
/// task's `last_error`.
[[nodiscard]] result<admin::status> status_of_stopped(event_log& log, const std::string& app,
                                                      const std::filesystem::path& state,
                                                      const std::string& only_stage);

/// A key's state as of the last snapshot. `window`: empty: all.
[[nodiscard]] result<admin::found> get_from_stopped(event_log& log, const std::string& app,
                                                    const std::filesystem::path& state,
                                                    const std::string& stage,
                                                    const std::string& key,
                                                    const std::string& window);

}  // namespace kappa::tools
