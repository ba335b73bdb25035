// Group commit: what several threads want to commit at the same time shares one transaction and
// one fsync. The first to come does it (the leader); those who come meanwhile are the next group.
//
// Threading: any thread. Blocks until durable.
#pragma once

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
  void commit(const std::vector<commit_work*>& group);
  [[nodiscard]] result<void> attempt(const std::vector<commit_work*>& group);

  embedded_store& store_;
  wake_file* wake_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<commit_work*> queue_;
  bool leading_ = false;
};

}  // namespace kappa::detail
