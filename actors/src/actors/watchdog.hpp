// Reports a step, or a call of a source, that takes too long. The thread in it cannot be taken
// back: the task is quarantined and the host fails, so that the process can end and start again
// elsewhere.
//
// Threading: a thread of its own; `stop` from one other. Ownership: the pulses must live as long.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "actors/board.hpp"
#include "actors/step_pulse.hpp"
#include "kappa/core/logger.hpp"

namespace kappa::detail {

class watchdog {
 public:
  /// `pulses`: as the board's tasks.
  watchdog(std::chrono::milliseconds limit, std::vector<const step_pulse*> pulses,
           std::shared_ptr<class board> board, log_sink log_to);
  ~watchdog();
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;

  void stop();
  /// Whether one was found: its thread will never end. After `stop`.
  [[nodiscard]] bool found_one() const { return hung_; }

 private:
  void watch();

  std::chrono::milliseconds limit_;
  std::vector<const step_pulse*> pulses_;
  std::shared_ptr<class board> board_;
  log_sink log_to_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  bool hung_ = false;
  std::thread thread_;
};

}  // namespace kappa::detail
