// Keeps the states of tasks that run in other processes near to theirs: one round after the other
// over the tasks that are not here.
//
// A state folder belongs to its task while that is here, from `given` until `gone`; else to the
// keeper.
//
// Threading: a thread of its own; everything else on any thread. Ownership: shares what the tasks'
// options share.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "kappa/core/logger.hpp"
#include "kappa/task/standby.hpp"

namespace kappa::detail {

/// Which of the tasks this process, by that name, follows in the next round.
using standby_choice = std::function<result<std::vector<bool>>(const std::string& me)>;
/// Told when one has caught up.
using standby_report = std::function<void(std::size_t, const standby_progress&)>;

class standby_keeper {
 public:
  /// `tasks`: as on the board; nothing: it keeps no state. Idle until `begin`.
  standby_keeper(const std::vector<std::optional<task_options>>& tasks, standby_choice choose,
                 standby_report report, std::chrono::milliseconds interval, log_sink log_to);
  ~standby_keeper();
  standby_keeper(const standby_keeper&) = delete;
  standby_keeper& operator=(const standby_keeper&) = delete;

  void begin(std::string me);
  /// It may be in a call to the brokers: does not wait for it.
  void end_soon();
  void stop();

  /// The task is to run here: does not wait. As often as it is given, it is `gone` later.
  void given(std::size_t task);
  /// Before its state is opened: waits a little until nobody is at it. Who still is then, and asks
  /// the log, will not get to write (state_store.hpp).
  void await_free(std::size_t task);
  void gone(std::size_t task);

 private:
  struct follower {
    std::unique_ptr<standby> of;  // null: no state
    int here = 0;
    std::string last_error;
  };
  void keep(const std::string& me);
  void follow(std::size_t task);

  std::vector<follower> all_;
  standby_choice choose_;
  standby_report report_;
  std::chrono::milliseconds interval_;
  log_sink log_to_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::size_t> at_it_;  // of the round
  bool stop_ = false;
  std::string choice_error_;
  std::thread thread_;
};

}  // namespace kappa::detail
