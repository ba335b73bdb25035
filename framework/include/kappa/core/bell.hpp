// A thread waits until another has rung. What was rung before the wait counts, once.
//
// Threading: rung from any thread, waited for by one. Ownership: shared with whoever rings, who may
// be at it while the wait is over.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace kappa {

class bell {
 public:
  void ring() {
    const std::lock_guard lock{mutex_};
    rung_ = true;
    changed_.notify_all();
  }
  /// False: nobody rang. It is quiet again either way.
  bool wait_until(std::chrono::steady_clock::time_point until) {
    std::unique_lock lock{mutex_};
    const bool rang = changed_.wait_until(lock, until, [this] { return rung_; });
    rung_ = false;
    return rang;
  }
  /// Forgets what was rung before.
  void hush() {
    const std::lock_guard lock{mutex_};
    rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool rung_ = false;
};

}  // namespace kappa
