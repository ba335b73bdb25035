// The engine's side: an app run by the engine on the calling thread.
//
// Driven by local_runner, epochs closed when due: the same tasks, commit lanes and state stores as
// under a host, with the default limits, T1 and T2 on the thread that processes. A ceiling is one
// thread that waits for its fsyncs, so the engine gets one thread that waits for its own: with a
// host's threads the waiting would overlap with work, which the ceiling could do too. What the
// actors cost on top is a row of its own ("host").
//
// Threading: the calling thread.
#pragma once

#include <filesystem>
#include <memory>

#include "kappa/log/embedded_log.hpp"
#include "kappa/stream/app.hpp"
#include "kappa/task/local_runner.hpp"

namespace bench {

[[nodiscard]] std::shared_ptr<kappa::event_log> open_log(const std::filesystem::path& folder);

class job {
 public:
  job(std::shared_ptr<kappa::event_log> log, std::filesystem::path state, const kappa::app& a,
      kappa::task_limits limits = {});
  /// Processes all that is there, and commits it.
  void run();
  /// T2 of all that changed.
  void snapshot();
  /// As a crash would.
  void drop() { runner_.crash(); }
  [[nodiscard]] kappa::local_runner& runner() { return runner_; }

 private:
  kappa::local_runner runner_;
};

}  // namespace bench
