#include "kappa/actors/committed_status.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "kappa/task/epoch.hpp"
#include "kappa/task/stages_in_log.hpp"

namespace kappa {
namespace {

// Nothing: the input is no topic, so nobody knows how much there is.
result<std::optional<std::uint64_t>> lag_of(event_log& log, const log_transaction::move& at) {
  auto topic = log.find_topic(at.key.input);
  if (!topic) return fail(topic.error());
  if (!*topic) return std::optional<std::uint64_t>{};
  auto bounds = log.bounds({at.key.input, at.key.task});
  if (!bounds) return fail(bounds.error());
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, bounds->latest - at.value.next));
}

}  // namespace

result<admin::status> committed_status(event_log& log, const std::string& app) {
  admin::status out;
  out.app = app;
  out.log = log.name();
  out.log_id = log.id();
  auto stages = stages_in_log(log, app);
  if (!stages) return fail(stages.error());
  for (const auto& s : *stages) {
    auto& stage = out.stages.emplace_back();
    stage.name = s.name;
    stage.generation = s.generation.value;
    stage.keyed = s.keyed;
    stage.windowed = s.windowed;
    for (std::int32_t p = 0; p < s.tasks; ++p) {
      auto& task = stage.tasks.emplace_back();
      task.partition = p;
      task.health = admin::health::stopped;
    }
  }
  auto positions = log.positions(app);
  if (!positions) return fail(positions.error());
  for (const auto& at : *positions) {
    const auto stage = std::find_if(out.stages.begin(), out.stages.end(), [&](const auto& s) {
      return s.name == at.key.stage && s.generation == at.key.generation.value;
    });
    const auto p = static_cast<std::size_t>(at.key.task.value);
    if (stage == out.stages.end() || p >= stage->tasks.size()) continue;
    auto& task = stage->tasks[p];
    auto lag = lag_of(log, at);
    if (!lag) return fail(lag.error());
    if (!*lag) stage->source = true;
    task.inputs.push_back({at.key.input, at.value.next.value, lag->value_or(0)});
    task.lag += lag->value_or(0);
    if (const auto meta = decode_metadata(at.value.metadata))
      task.epoch = std::max(task.epoch, meta->epoch.value);
  }
  return out;
}

}  // namespace kappa
