#include "actors/standby_choice.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "kappa/core/bytes.hpp"

namespace kappa::detail {
namespace {

bool has(const app_process& p, const task_id& task) {
  return std::any_of(p.tasks.begin(), p.tasks.end(), [&](const task_place& t) {
    return t.stage == task.stage && t.task == task.partition;
  });
}

bool is_followed_by(const std::string& me, const task_id& task,
                    const std::vector<app_process>& processes, std::size_t standbys) {
  const auto seed = checksum(task.text());
  std::vector<std::pair<std::uint64_t, const std::string*>> others;
  for (const auto& p : processes) {
    if (!has(p, task)) others.emplace_back(checksum(p.id, seed), &p.id);
  }
  const auto first = std::min(standbys, others.size());
  std::partial_sort(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(first),
                    others.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return std::any_of(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(first),
                     [&](const auto& o) { return *o.second == me; });
}

}  // namespace

std::vector<bool> choose_standbys(const std::vector<task_id>& tasks,
                                  const std::vector<app_process>& processes, const std::string& me,
                                  std::size_t standbys) {
  std::vector<bool> chosen;
  for (const auto& t : tasks) chosen.push_back(is_followed_by(me, t, processes, standbys));
  return chosen;
}

}  // namespace kappa::detail
