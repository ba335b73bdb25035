// Which of the tasks that are elsewhere a process follows.
//
// By rendezvous hashing: each process reckons by itself, from who takes part and who has what, and
// all come to the same; who comes or goes changes little. (Which process gets a task when its owner
// is gone is Kafka's choice, and may be one that does not follow it; with `all_others` all do.)
//
// Threading: plain functions.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kappa/log/membership.hpp"
#include "kappa/task/epoch.hpp"

namespace kappa::detail {

/// For each of `tasks` whether the process `me` follows it: it is among the first `standbys` of
/// those that do not have it.
[[nodiscard]] std::vector<bool> choose_standbys(const std::vector<task_id>& tasks,
                                                const std::vector<app_process>& processes,
                                                const std::string& me, std::size_t standbys);

}  // namespace kappa::detail
