// Applies retention to a log now and then, but not while it is `held`: a state that is built anew
// needs the records from its start on until it has a snapshot.
//
// Threading: a thread of its own; `stop` from one other, `under_way` from any. Ownership:
// shares the log.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "kappa/core/logger.hpp"
#include "kappa/core/time.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa::detail {

class retention_keeper {
 public:
  retention_keeper(std::shared_ptr<event_log> log, std::chrono::milliseconds interval,
                   std::function<bool()> held, clock_fn clock, log_sink log_to);
  ~retention_keeper();
  retention_keeper(const retention_keeper&) = delete;
  retention_keeper& operator=(const retention_keeper&) = delete;

  void stop();

  /// A round is. Once it is not, and `held` says so, what the log has stays: look only then whether
  /// it is enough.
  [[nodiscard]] bool under_way();

 private:
  void keep();
  void round();

  std::shared_ptr<event_log> log_;
  std::chrono::milliseconds interval_;
  std::function<bool()> held_;
  clock_fn clock_;
  log_sink log_to_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::mutex round_;  // held from the look at `held` to the round's end
  std::thread thread_;
};

}  // namespace kappa::detail
