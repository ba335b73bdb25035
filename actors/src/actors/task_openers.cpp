#include "actors/task_openers.hpp"

#include <fmt/format.h>

#include "kappa/core/caught.hpp"
#include "kappa/core/failpoint.hpp"
#include "kappa/task/aggregate_task.hpp"
#include "kappa/task/local_runner.hpp"
#include "kappa/task/savepoints.hpp"

namespace kappa::detail {

namespace {

std::function<result<void>()> eraser(const std::filesystem::path& folder,
                                     const std::shared_ptr<savepoint_repository>& savepoints,
                                     const task_id& id) {
  return [folder, savepoints, id]() -> result<void> {
    if (savepoints) {
      if (auto gone = forget_savepoints(*savepoints, id); !gone) return gone;
    }
    failpoint::hit("rebuild.before_erase");
    if (auto erased = erase_state(folder); !erased) return erased;
    failpoint::hit("rebuild.after_erase");
    return {};
  };
}

}  // namespace

task_options task_openers::options_of(const stage_spec& stage, partition p) const {
  task_options o;
  o.topology = topology_;
  o.stage = stage.name;
  o.partition = p;
  o.log = log_;
  o.layout = layout_.at(stage.name);
  o.state_folder = task_folder(state_, task_id{stage.app, stage.name, stage.generation, p});
  o.limits = options_.limits;
  o.on_failure = options_.on_failure;
  o.until_end = options_.until_end;
  o.adopt_state_position = options_.adopt_state_position;
  o.replay_only = options_.replay_only;
  o.savepoints = savepoints_;
  o.clock = options_.clock;
  o.log_to = options_.log_to;
  return o;
}

task_opener task_openers::of_source(const stage_spec& stage, const task_id& id,
                                    std::vector<crash_suspect> suspects, step_pulse& pulse) const {
  source_task_options o;
  o.topology = topology_;
  o.stage = stage.name;
  o.log = log_;
  o.layout = layout_.at(stage.name);
  o.limits = options_.limits;
  o.on_failure = options_.on_failure;
  o.rate = options_.source_rate;
  o.clock = options_.clock;
  o.log_to = options_.log_to;
  o.watcher = &pulse;
  o.suspects = std::move(suspects);
  const auto none = [name = id.text()]() -> result<void> {
    return fail(errc::invalid_argument, name, "it reads a source and keeps no state");
  };
  return {[o, name = id.text(), &pulse] {
            const step_pulse::turn watched{pulse};  // it may hang in there
            return caught(name, [&] { return open_source_task(o); });
          },
          none, none};
}

task_opener task_openers::of(const stage_spec& stage, partition p, const crash_ledger* ledger,
                             step_pulse& pulse) const {
  const task_id id{stage.app, stage.name, stage.generation, p};
  std::vector<crash_suspect> suspects;
  if (ledger != nullptr) suspects = ledger->suspects(id);
  for (const auto& s : suspects) {
    options_.log_to(log_level::warning, "the process died in user code at a record",
                    {{"task", id.text()},
                     {"position", fmt::format("{}@{}", s.input, s.offset)},
                     {"deaths", std::to_string(s.deaths)}});
  }
  if (stage.source) return of_source(stage, id, std::move(suspects), pulse);
  if (stage.aggregate) return of_aggregate(stage, id, std::move(suspects), pulse);
  auto o = options_of(stage, p);
  o.watcher = &pulse;
  o.suspects = std::move(suspects);
  return {[o, name = id.text()] { return caught(name, [&] { return open_task(o); }); },
          [o, name = id.text()] { return caught(name, [&] { return check_rebuild(o); }); },
          eraser(o.state_folder, o.savepoints, id)};
}

task_opener task_openers::of_aggregate(const stage_spec& stage, const task_id& id,
                                       std::vector<crash_suspect> suspects,
                                       step_pulse& pulse) const {
  auto o = aggregate_options_of(stage, id.partition, layout_.at(stage.name));
  o.log = log_;
  o.state_folder = task_folder(state_, id);
  o.keys = keys_;
  o.commands = std::make_shared<command_inbox>(options_.limits.max_waiting_commands);
  o.watcher = &pulse;
  o.suspects = std::move(suspects);
  o.replay_only = options_.replay_only;
  o.limits = options_.limits;
  o.clock = options_.clock;
  o.log_to = options_.log_to;
  return {[o, name = id.text()] { return caught(name, [&] { return open_aggregate_task(o); }); },
          [o, name = id.text()] { return caught(name, [&] { return check_rebuild(o); }); },
          eraser(o.state_folder, savepoints_, id), o.commands};
}

}  // namespace kappa::detail
