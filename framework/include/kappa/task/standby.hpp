// A standby: the state of a task that runs in another process, kept near to it, so that whoever
// gets the task has only the last seconds to replay.
//
// It does what a restart does, up to what the other one has committed, and rests: muted, nothing is
// written to the log, and its state is as good as any that a task has left behind. (Kafka Streams
// feeds its standbys from a changelog; here there is none, the inputs are the log.)
//
// Threading: catch_up on one thread at a time; stop on any, also before. Ownership: shares topology
// and log; while catch_up runs it has the state folder, which nobody else may open to write.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "kappa/core/bell.hpp"
#include "kappa/core/error.hpp"
#include "kappa/task/task.hpp"

namespace kappa {

struct standby_progress {
  /// Up to here the state has what the task has committed.
  epoch_number epoch;
  std::uint64_t replayed = 0;  // records, this time
  bool whole = false;          // false: stopped on the way; what a snapshot has of it stays
};

class standby {
 public:
  explicit standby(task_options options);

  /// Replays what the task has committed by now and saves it. Blocks. errc::not_found: it has
  /// committed nothing yet. Else as open_task and runnable_task::run.
  [[nodiscard]] result<standby_progress> catch_up();

  /// A catch_up that runs, or else the next one, ends soon: within a turn, or a snapshot that is
  /// being written.
  void stop();

 private:
  result<void> save(runnable_task& t, bool final);

  task_options options_;
  std::atomic<bool> stop_ = false;
  std::shared_ptr<bell> bell_ = std::make_shared<bell>();
};

}  // namespace kappa
