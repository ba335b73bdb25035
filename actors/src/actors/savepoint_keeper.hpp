// Takes savepoints of the tasks that run here: of each not more often than at its interval, one
// after the other, and of its last snapshot at last, if it is still open then.
//
// Threading: a thread of its own; `offer` from any. Ownership: shares the repository, and a task
// while it copies its state.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "actors/messages.hpp"
#include "kappa/core/logger.hpp"
#include "kappa/task/savepoints.hpp"

namespace kappa::detail {

class savepoint_keeper {
 public:
  /// `work`: a folder of its own, for files on their way.
  savepoint_keeper(std::shared_ptr<savepoint_repository> to, std::chrono::milliseconds interval,
                   std::filesystem::path work, log_sink log_to);
  ~savepoint_keeper();
  savepoint_keeper(const savepoint_keeper&) = delete;
  savepoint_keeper& operator=(const savepoint_keeper&) = delete;

  /// A T2 of the task has just ended.
  void offer(const task_ptr& task);
  /// The task's state is about to be erased, and it is not open: afterwards none is taken of what
  /// was offered before.
  void forget(const task_id& task);
  /// Waits for the one that is being taken; what was offered and is due is left out.
  void stop();

 private:
  void keep();
  [[nodiscard]] bool take(runnable_task& task);

  std::shared_ptr<savepoint_repository> to_;
  std::chrono::milliseconds interval_;
  std::filesystem::path work_;
  log_sink log_to_;
  std::mutex mutex_;
  std::condition_variable changed_;
  struct offered {
    std::weak_ptr<runnable_task> task;  // null: nothing new
    std::chrono::steady_clock::time_point due;
  };
  std::map<std::string, offered> tasks_;  // by name
  std::string taking_;                    // which one; empty: none
  bool stop_ = false;
  std::string last_error_;
  std::thread thread_;
};

}  // namespace kappa::detail
