// Runs all tasks of an app on the calling thread, in a fixed order: for tests, simulations and
// tools. The same tasks, lanes and stores as under a host; only the threads are missing.
//
// Threading: one thread.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kappa/aggregate/inbox.hpp"
#include "kappa/core/error.hpp"
#include "kappa/task/commit_lane.hpp"
#include "kappa/task/layout.hpp"
#include "kappa/task/task.hpp"

namespace kappa {

struct local_runner_options {
  std::shared_ptr<const kappa::topology> topology;
  std::shared_ptr<event_log> log;
  std::filesystem::path state_folder;  // of the app
  layout_options layout;
  task_limits limits;
  failure_policy on_failure = failure_policy::dead_letter;
  bool until_end = false;
  std::shared_ptr<key_ring> keys;  // of aggregates' personal fields; null: they have none
  clock_fn clock = steady_now;
  log_sink log_to = no_log;
  step_watcher* watcher = nullptr;
};

/// `<state>/<stage>.g<generation>/<partition>`: where a task keeps its state.
[[nodiscard]] std::filesystem::path task_folder(const std::filesystem::path& app_state,
                                                const task_id& id);

class local_runner {
 public:
  explicit local_runner(local_runner_options options) : options_{std::move(options)} {}

  /// Lays the app out on the log, takes it, and opens every task.
  [[nodiscard]] result<void> open();
  /// Drops all tasks and the writer, as a crash would: nothing is closed, nothing is saved.
  void crash();

  /// Runs until no task has anything to do; T1 after every `budget` steps of a task. `snapshots`:
  /// T2 after every T1.
  struct pass_options {
    std::size_t budget = 256;
    bool snapshots = false;
    /// T1 only when the task asks for it (its limits), and when it has nothing more to do: as under
    /// a host.
    bool when_due = false;
    /// Called after each T1 (and its T2); false: stop here.
    std::function<bool()> after_commit{};
  };
  /// False: stopped by after_commit.
  [[nodiscard]] result<bool> run_until_quiet(const pass_options& options);
  /// Writes a snapshot of every task that changed.
  [[nodiscard]] result<void> snapshot_all();
  void advance_event_time(timestamp t);
  void set_until_end(bool on) { options_.until_end = on; }

  [[nodiscard]] bool is_open() const { return lane_ != nullptr; }
  [[nodiscard]] bool finished() const;
  [[nodiscard]] std::vector<runnable_task*> tasks();
  /// Null: no such task.
  [[nodiscard]] runnable_task* find(const std::string& stage, partition p);
  /// Where the commands of an aggregate's task wait, also while it is not open.
  [[nodiscard]] const std::shared_ptr<command_inbox>& commands(const std::string& stage,
                                                               partition p) {
    auto& inbox = inboxes_[{stage, p}];
    if (!inbox) inbox = std::make_shared<command_inbox>(options_.limits.max_waiting_commands);
    return inbox;
  }
  [[nodiscard]] const app_layout& layout() const { return layout_; }
  [[nodiscard]] const local_runner_options& options() const { return options_; }

 private:
  result<void> commit(runnable_task& t, bool final);
  result<void> write_snapshot(runnable_task& t);

  local_runner_options options_;
  app_layout layout_;
  std::unique_ptr<commit_lane> lane_;
  std::map<std::pair<std::string, partition>, std::shared_ptr<command_inbox>> inboxes_;
  std::vector<std::unique_ptr<runnable_task>> tasks_;
  bool committed_ = false;
};

}  // namespace kappa
