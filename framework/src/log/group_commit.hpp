// Group commit: what several threads want to commit at the same time shares one transaction and
// one fsync. The first to come does it (the leader); those who come meanwhile are the next group.
// Those whom a commit lets go come back at once, most often, so the next leader waits an instant
// for them: else two halves would take turns, each waiting for the other's fsync besides its own.
//
// Threading: any thread. Blocks until durable.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

#include "log/embedded_store.hpp"
#include "log/wake_file.hpp"

namespace kappa::detail {

/// One participant. `check` may refuse and must write nothing; `apply` writes. Both may run several
/// times (when the map has to grow) and start from the same place each time.
struct commit_work {
  std::function<result<void>(log_change&)> check;
  std::function<result<void>(log_change&)> apply;

  result<void> outcome{};
  bool done = false;
};

class group_commit {
 public:
  group_commit(embedded_store& store, wake_file* wake) : store_{store}, wake_{wake} {}

  /// The outcome for this one: another's refusal does not touch it.
  [[nodiscard]] result<void> run(commit_work& work);

 private:
  void gather(std::unique_lock<std::mutex>& lock);
  void commit(const std::vector<commit_work*>& group);
  [[nodiscard]] result<void> attempt(const std::vector<commit_work*>& group);

  embedded_store& store_;
  wake_file* wake_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable arrived_;
  std::vector<commit_work*> queue_;
  bool leading_ = false;
  std::size_t expected_ = 0;      // participants that the leader waits for
  std::size_t last_group_ = 0;    // participants of the last commit
  std::size_t left_waiting_ = 0;  // those who came while it went on
  std::chrono::steady_clock::duration last_took_{};
};

}  // namespace kappa::detail
