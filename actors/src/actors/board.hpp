// What the actors tell the host, and anyone who asks the host: how each task is, and what keeps
// the host from going on.
//
// Threading: any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "kappa/actors/host.hpp"

namespace kappa::detail {

class board {
 public:
  explicit board(std::vector<task_status> tasks)
      : tasks_{std::move(tasks)}, building_(tasks_.size()) {}

  void update(std::size_t task, const std::function<void(task_status&)>& change) {
    const std::lock_guard lock{mutex_};
    change(tasks_[task]);
    changed_.notify_all();
  }
  [[nodiscard]] std::vector<task_status> all() const {
    const std::lock_guard lock{mutex_};
    return tasks_;
  }
  /// From when a task's state is about to be built anew until what was built is durable, whatever
  /// fails meanwhile.
  void building(std::size_t task, bool on) {
    const std::lock_guard lock{mutex_};
    building_[task] = on;
  }
  /// A task is being opened, or builds its state: the log must keep all that it has.
  [[nodiscard]] bool replaying() const {
    const std::lock_guard lock{mutex_};
    return std::find(building_.begin(), building_.end(), true) != building_.end() ||
           std::any_of(tasks_.begin(), tasks_.end(),
                       [](const task_status& t) { return t.health == task_health::starting; });
  }
  void fail(error e) {
    const std::lock_guard lock{mutex_};
    if (!failure_) failure_ = std::move(e);
    failed_ = true;
    changed_.notify_all();
  }
  /// Asked for each command: without the lock.
  [[nodiscard]] bool has_failed() const { return failed_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::optional<error> failure() const {
    const std::lock_guard lock{mutex_};
    return failure_;
  }
  /// Something that was asked for is still to be done, though all tasks may have finished.
  void hold(bool on) {
    const std::lock_guard lock{mutex_};
    held_ = on;
    changed_.notify_all();
  }
  /// What rests does not finish by itself: the host looks whether it has when all others have.
  void let_rest() {
    const std::lock_guard lock{mutex_};
    may_rest_ = true;
  }
  /// Until all tasks that are here have finished and nothing holds (true), one is out of the
  /// running or the host failed (error).
  [[nodiscard]] result<bool> wait_finished(std::chrono::milliseconds timeout) {
    std::unique_lock lock{mutex_};
    const auto until = std::chrono::steady_clock::now() + timeout;
    for (;;) {
      if (failure_) return kappa::fail(*failure_);
      bool all = !held_;
      for (const auto& t : tasks_) {
        if (t.health == task_health::quarantined) {
          return kappa::fail(errc::quarantined, t.id.text(),
                             t.last_error ? t.last_error->text() : std::string{"it keeps failing"});
        }
        all = all && (t.health == task_health::finished || t.health == task_health::elsewhere ||
                      (may_rest_ && t.rests && t.health == task_health::running));
      }
      if (all) return true;
      if (changed_.wait_until(lock, until) == std::cv_status::timeout) return false;
    }
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<task_status> tasks_;
  std::vector<bool> building_;
  std::optional<error> failure_;
  std::atomic<bool> failed_ = false;
  bool held_ = false;
  bool may_rest_ = false;
};

}  // namespace kappa::detail
