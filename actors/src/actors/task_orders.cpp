#include "actors/task_orders.hpp"

#include <algorithm>

#include "kappa/task/epoch.hpp"

namespace kappa::detail {

result<std::map<partition, task_order>> task_orders(event_log& log, const std::string& app,
                                                    const std::string& stage, generation g) {
  auto positions = log.positions(app);
  if (!positions) return fail(positions.error());
  std::map<partition, task_order> all;
  for (const auto& p : *positions) {
    if (p.key.stage != stage || p.key.generation != g) continue;
    const auto meta = decode_metadata(p.value.metadata);
    if (!meta) return fail(errc::corrupt, p.key.text(), "the position's metadata is malformed");
    auto& t = all[p.key.task];
    t.ordered = std::max(t.ordered, meta->rebuild_ordered);
    t.done = std::max(t.done, meta->rebuild_done);
  }
  return all;
}

}  // namespace kappa::detail
