#include "actors/at_rest.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "kappa/log/for_each_record.hpp"

namespace kappa::detail {
namespace {

using taken_up_to = std::pair<topic_partition, offset>;

result<std::vector<taken_up_to>> positions_of(const topology& t, event_log& log) {
  std::vector<taken_up_to> all;
  for (const auto& stage : t.stages()) {
    if (!t.follows_aggregates(stage)) continue;
    for (const auto& in : stage.inputs) {
      if (stage.aggregate && in.topic != stage.commands_topic()) continue;  // it wrote them itself
      const auto topic = log.find_topic(in.topic);
      if (!topic) return fail(topic.error());
      for (std::int32_t p = 0; *topic && p < (*topic)->partitions; ++p) {
        const auto position =
            log.position({stage.app, stage.name, stage.generation, partition{p}, in.topic});
        if (!position) return fail(position.error());
        all.push_back({{in.topic, partition{p}}, *position ? (*position)->next : offset{}});
      }
    }
  }
  return all;
}

}  // namespace

// All positions first: what follows from a record is in the log when its position is. So where
// nothing comes behind any of them, looked at afterwards, nothing is under way either.
result<bool> at_rest(const topology& t, event_log& log) {
  const auto taken = positions_of(t, log);
  if (!taken) return fail(taken.error());
  for (const auto& [where, next] : *taken) {
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

bool may_finish_at_rest(const topology& t) {
  return !std::all_of(t.stages().begin(), t.stages().end(),
                      [&](const stage_spec& s) { return t.follows_aggregates(s); });
}

}  // namespace kappa::detail
