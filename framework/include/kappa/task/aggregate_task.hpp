// The task of an aggregate: decides commands, appends their events, keeps the states.
//
// The events topic is the truth, and of commands with an id that no event came of the outcomes
// topic. What is in the state's snapshot is only a shorter way to what
// `apply` makes of all events up to the end of the task's partition, which is read when no other
// owner can write any more: nothing is decided before.
//
// Commands come from the inbox, and from the commands topic, whose position moves in the
// transaction that has what came of them. They are decided one after the other on the newest state,
// while the events of earlier ones are still on their way to the log; whoever asked is answered
// when all is durable that the answer rests on, a rejection too. An epoch closes at once while
// nothing is in flight, else when that is over, so that many commands share a commit when many come
// and one waits for nobody.
//
// Threading: as runnable_task; commands are given to the inbox on any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "kappa/aggregate/command_window.hpp"
#include "kappa/aggregate/inbox.hpp"
#include "kappa/aggregate/program.hpp"
#include "kappa/core/logger.hpp"
#include "kappa/core/schema_info.hpp"
#include "kappa/core/time.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/task/command_routes.hpp"
#include "kappa/task/epoch_builder.hpp"
#include "kappa/task/runnable.hpp"
#include "kappa/task/task.hpp"
#include "kappa/task/task_id.hpp"

namespace kappa {

struct aggregate_task_options {
  task_id id;
  // The app's own; each has as many partitions as the aggregate has tasks.
  std::string events_topic;
  std::string outcomes_topic;  // of commands with an id that no event came of
  std::string commands_topic;  // from outside and from aggregates; as many partitions
  std::string replies_topic;   // to those commands, for all aggregates of the app
  std::int32_t reply_partitions = 1;
  std::shared_ptr<const command_routes> routes;  // for what it sends; null: nowhere
  std::vector<port_layout> published;            // the topics to which it publishes
  schema_info key_schema;                        // of its keys
  std::string dead_letters_topic;
  std::shared_ptr<const detail::aggregate_program> program;
  std::shared_ptr<key_ring> keys;  // of personal fields; null: it has none
  schema_info state_schema;
  std::uint64_t fingerprint = 0;  // of the stage
  std::shared_ptr<event_log> log;
  std::filesystem::path state_folder;  // of this task alone
  std::shared_ptr<command_inbox> commands;
  task_limits limits;
  command_window_options window;  // must be good: `check`
  bool replay_only = false;       // replay, then rest: no command is decided
  std::size_t max_record_bytes = log_limits::max_max_record_bytes;  // of events and outcomes
  std::vector<crash_suspect> suspects;                              // commands of the log
  step_watcher* watcher = nullptr;
  clock_fn clock = steady_now;
  log_sink log_to = no_log;
};

/// What follows from the topology and the layout; the rest is whoever runs the task's.
[[nodiscard]] aggregate_task_options aggregate_options_of(const stage_spec& stage, partition p,
                                                          const stage_layout& layout);

/// Opens the state and finds out which events it lacks. errc::refused_start: events that the state
/// lacks are not in the log any more, or the state has seen some that the log never had;
/// errc::incompatible: it was made from another log; errc::unavailable: the key store does not
/// answer. Blocks.
[[nodiscard]] result<std::unique_ptr<runnable_task>> open_aggregate_task(
    aggregate_task_options options);

/// As check_rebuild (task.hpp): whether the log has all events. Blocks.
[[nodiscard]] result<void> check_rebuild(const aggregate_task_options& options);

}  // namespace kappa
