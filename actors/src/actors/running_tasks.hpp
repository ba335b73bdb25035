// The tasks of an app that run in this process: all of them, or those that the log gives it.
//
// Threading: any thread. Ownership: the actor system, and what the tasks' options point to, must
// outlive it.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

#include "actors/board.hpp"
#include "actors/messages.hpp"
#include "actors/standby_keeper.hpp"
#include "actors/task_actor.hpp"
#include "kappa/core/logger.hpp"
#include "kappa/log/membership.hpp"

namespace kappa::detail {

class running_tasks final : public placement_listener {
 public:
  running_tasks(caf::actor_system& system, std::shared_ptr<class board> board, log_sink log_to)
      : system_{system}, board_{std::move(board)}, log_to_{std::move(log_to)} {}

  /// A task of the app, as it is run here when it is. In the order of the board.
  void add(task_actor_options options);
  /// Is told which tasks are here. Before the first is given.
  void keep_standbys(std::shared_ptr<standby_keeper> keeper) { standbys_ = std::move(keeper); }
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] task_id id(std::size_t task) const;
  /// Null: it does not run here.
  [[nodiscard]] caf::actor actor(std::size_t task) const;
  /// At least one. errc::unavailable: this host replays, and has none of the stage.
  [[nodiscard]] result<std::vector<std::size_t>> of_stage(const std::string& stage) const;
  /// The entry under `from`, or those in [from, to). errc::elsewhere: it does not run here. Blocks.
  [[nodiscard]] result<state_entries> read(std::size_t task, bytes from, std::optional<bytes> to,
                                           std::size_t limit, const query_options& options) const;
  /// To a task of an aggregate. errc::elsewhere: as above; errc::unavailable: it is in quarantine,
  /// too many wait, or this host only replays. After an error the command is as it was.
  [[nodiscard]] result<void> send(std::size_t task, command_call& command) const;

  void start(std::size_t task, task_ptr first);

  /// Whether none of the tasks, wherever it runs, has anything left to do: as their positions say.
  /// Blocks.
  [[nodiscard]] result<bool> all_ended(event_log& log, const topology& t) const;

  void given(const task_place& task) override;
  void taken(const task_place& task, bool lost, std::function<void()> done) override;
  void failed(const error& e) override;

  /// Waits until every task has stopped, or cannot: what is `stuck` is in a call that does not end.
  /// None is started any more.
  [[nodiscard]] result<void> stop(bool& stuck);
  void clear();

 private:
  struct entry {
    task_actor_options options;
    caf::actor actor;
  };
  struct leaving {
    caf::actor actor;
    std::future<void> ended;
  };
  [[nodiscard]] std::size_t find(const task_place& task) const;
  [[nodiscard]] result<void> send(std::size_t task, read_ptr question) const;
  void refuse_commands();

  caf::actor_system& system_;
  std::shared_ptr<class board> board_;
  log_sink log_to_;
  std::shared_ptr<standby_keeper> standbys_;  // null: none are kept
  mutable std::shared_mutex mutex_;
  std::vector<entry> all_;
  std::vector<leaving> leaving_;  // taken, and not yet ended
  bool stopping_ = false;
};

/// How long a stop waits for what is in flight; after a fatal error only for what can still end.
inline constexpr std::chrono::milliseconds patience_with_stop{30'000};
inline constexpr std::chrono::milliseconds patience_after_failure{500};

}  // namespace kappa::detail
