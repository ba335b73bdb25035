#include "actors/aggregates_at_rest.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "kappa/log/for_each_record.hpp"

namespace kappa::detail {
namespace {

using place_of_commands = std::pair<topic_partition, offset>;

result<std::vector<place_of_commands>> decided_up_to(const topology& t, event_log& log) {
  std::vector<place_of_commands> all;
  for (const auto& stage : t.stages()) {
    if (!stage.aggregate) continue;
    const auto topic = log.find_topic(stage.commands_topic());
    if (!topic) return fail(topic.error());
    for (std::int32_t p = 0; *topic && p < (*topic)->partitions; ++p) {
      const topic_partition where{stage.commands_topic(), partition{p}};
      const auto position =
          log.position({stage.app, stage.name, stage.generation, where.partition, where.topic});
      if (!position) return fail(position.error());
      all.emplace_back(where, *position ? (*position)->next : offset{});
    }
  }
  return all;
}

}  // namespace

// All positions first: what a command makes others decide is in the log when its position is. So
// where nothing comes behind any of them, looked at afterwards, nothing is under way either.
result<bool> aggregates_at_rest(const topology& t, event_log& log) {
  const auto decided = decided_up_to(t, log);
  if (!decided) return fail(decided.error());
  for (const auto& [where, next] : *decided) {
    bool rest = true;
    const auto looked = for_each_record(log, where, next, [&](const record_view&) -> result<bool> {
      rest = false;
      return false;
    });
    if (!looked) return fail(looked.error());
    if (!rest) return false;
  }
  return true;
}

bool aggregates_may_finish(const topology& t) {
  return std::any_of(t.stages().begin(), t.stages().end(),
                     [](const stage_spec& s) { return s.aggregate == nullptr; });
}

}  // namespace kappa::detail
