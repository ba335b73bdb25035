#include "actors/task_reads.hpp"

#include <utility>

namespace kappa::detail {

result<std::optional<state_entries>> read_state(runnable_task& task, const read_request& r) {
  if (const auto& place = r.options.at_least; place && place->offset > offset{}) {
    const auto taken = task.taken_in(place->where);
    if (!taken) return fail(taken.error());
    if (!*taken || **taken < place->offset) return std::optional<state_entries>{};
  }
  auto* const table = task.table();
  state_entries found;
  found.as_of.push_back(task.read_at(r.options.level));
  if (found.as_of.front().stale && r.options.refuse_stale) {
    return fail(errc::unavailable, task.id().text(),
                "the task is replaying; its state is older than what was answered before", true);
  }
  if (!r.to) {
    auto value = table->read(r.from, r.options.level);
    if (!value) return fail(value.error());
    const auto& wanted = r.options.at_least_version;
    if (wanted && (*value ? task.version_of(**value) : 0) < *wanted)
      return std::optional<state_entries>{};
    if (*value && !task.is_gone(**value)) found.entries.push_back({r.from, std::move(**value)});
    return found;
  }
  auto scanned = table->scan(r.from, *r.to, r.options.level, [&](bytes_view key, bytes_view value) {
    if (found.entries.size() >= r.limit) return false;
    if (task.is_gone(value)) return true;
    found.entries.push_back({bytes{key}, bytes{value}});
    return true;
  });
  if (!scanned) return fail(scanned.error());
  return found;
}

}  // namespace kappa::detail
