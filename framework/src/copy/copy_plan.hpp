// What a copy takes, and in which order; whether its apps could go on from it.
//
// Threading: plain functions; they block on the log.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "kappa/copy/copy_log.hpp"
#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa::detail {

struct copied_app {
  std::vector<log_transaction::move> positions;
  std::set<std::string> reads;  // topics, those of other apps too
};

struct copy_plan {
  /// What the records of a topic refer to comes before it: topics from outside, then the apps',
  /// those that others read first; then all epochs topics.
  std::vector<topic_config> topics;
  std::map<std::string, copied_app> apps;

  [[nodiscard]] const topic_config* find(const std::string& topic) const;
};

/// errc::not_found: no such topic or app; errc::invalid_argument: a part of an app.
[[nodiscard]] result<copy_plan> plan_copy(event_log& from, const copy_options& options);

/// errc::refused_start: the app's state could not be rebuilt from what the log still has, input
/// that it has not processed is gone, or a replay was asked for and is not done. The app must be
/// held.
[[nodiscard]] result<void> check_can_move(event_log& from, const copy_plan& plan,
                                          const std::string& app);

}  // namespace kappa::detail
