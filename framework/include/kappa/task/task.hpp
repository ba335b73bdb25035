// A task: partition n of a stage. Reads its inputs in one order, runs the stage's operators, and
// keeps state and positions so that nothing is lost and nothing is applied twice.
//
// What may crash where, and what happens then, is written in docs/reliability.md.
//
// Threading: one thread at a time (its actor's). `store()->commit` may run on another thread.
// Ownership: owns its state; shares log and topology.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kappa/core/logger.hpp"
#include "kappa/core/time.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/state/savepoint_repository.hpp"
#include "kappa/stream/topology.hpp"
#include "kappa/task/layout.hpp"
#include "kappa/task/runnable.hpp"

namespace kappa {

/// Bounds of a task. All are upper bounds, so memory stays flat.
struct task_limits {
  milliseconds commit_interval{100};       // T1 at most this far apart; 1 ms … 1 h
  milliseconds snapshot_interval{5000};    // T2 at most this far apart; ≥ commit interval
  std::size_t max_epoch_bytes = 8 << 20;   // outputs of an open epoch
  std::size_t max_epochs_in_flight = 4;    // closed, not yet durable; ≥ 1
  std::size_t max_epoch_records = 20'000;  // an input, in a stage with several
  std::size_t max_dirty_bytes = 64 << 20;  // changed state since the last snapshot
  std::size_t cache_bytes = 64 << 20;      // decoded clean state
  // States of aggregates leave memory when nobody has asked for them for this long, at the latest
  // after twice this time; 0: only for want of room (cache_bytes).
  milliseconds passivate_after{0};
  std::size_t read_bytes = 256 << 10;           // of one read of the log
  std::size_t max_waiting_commands = 16 << 10;  // for a task of an aggregate, not yet decided
};

enum class failure_policy { dead_letter, stop };

/// A record at which the process died by user code's own fault (see crash_ledger.hpp).
struct crash_suspect {
  std::string input;
  kappa::offset offset;
  int deaths = 0;
};
/// Deaths at one position after which the record is dead-lettered unseen.
inline constexpr int deaths_until_dead_letter = 3;

/// Told which step runs, so that a crash can be blamed on it. Called on the task's thread.
class step_watcher {
 public:
  virtual ~step_watcher() = default;
  /// `task` (task_id::text) and `input` live as long as the task; `op` changes while the step runs.
  virtual void step_begins(const std::string& task, const std::string& input, offset at,
                           const volatile detail::op_index* op) = 0;
  virtual void step_ended() = 0;
};

struct task_options {
  std::shared_ptr<const kappa::topology> topology;
  std::string stage;
  kappa::partition partition;
  std::shared_ptr<event_log> log;
  stage_layout layout;
  std::filesystem::path state_folder;  // of this task alone
  task_limits limits;
  failure_policy on_failure = failure_policy::dead_letter;
  bool until_end = false;  // topics from outside end where they ended at the start
  bool adopt_state_position = false;
  bool rebuildable = false;
  /// Replay, then rest: nothing that was not committed before is processed.
  bool replay_only = false;
  /// The task runs elsewhere: replay what it has committed by now, then rest. See standby.hpp.
  bool standby = false;
  /// Of a standby: asked when nothing is left but to take the state over. True: it is wanted, and
  /// is left alone (errc::stopped).
  std::function<bool()> gives_way{};
  /// Where the state may come from when there is none that it could go on from; null: only from the
  /// log.
  std::shared_ptr<savepoint_repository> savepoints;
  std::map<std::string, offset> start_from;  // of topics from outside; default: earliest retained
  std::vector<crash_suspect> suspects;
  step_watcher* watcher = nullptr;
  std::string code_version = "1";
  clock_fn clock = steady_now;
  log_sink log_to = no_log;
};

/// Opens state and inputs and finds out where to start (recovery.hpp). Blocks.
[[nodiscard]] result<std::unique_ptr<runnable_task>> open_task(task_options options);

/// Whether the log has what it takes to build the state anew, so that it may be erased
/// (erase_state) before the task is opened. errc::refused_start, errc::incompatible: why not.
/// Changes nothing, and the task may run meanwhile. Blocks.
[[nodiscard]] result<void> check_rebuild(task_options options);

struct source_task_options {
  std::shared_ptr<const kappa::topology> topology;
  std::string stage;
  std::shared_ptr<event_log> log;
  stage_layout layout;
  task_limits limits;
  failure_policy on_failure = failure_policy::dead_letter;
  /// Rows a second; 0: as fast as they come.
  double rate = 0;
  step_watcher* watcher = nullptr;
  std::vector<crash_suspect> suspects;
  std::string code_version = "1";
  clock_fn clock = steady_now;
  log_sink log_to = no_log;
};

/// Opens the source at its committed place. `run` may block on the source.
[[nodiscard]] result<std::unique_ptr<runnable_task>> open_source_task(source_task_options options);

}  // namespace kappa
