// Tells the watchdog whether a task is in user code, and whether it is still the same step.
//
// Threading: step_begins and step_ended on the task's thread, `beat` from any.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "kappa/task/task.hpp"

namespace kappa::detail {

class step_pulse final : public step_watcher {
 public:
  /// `next` (may be null) is told too, and must live as long.
  explicit step_pulse(step_watcher* next) : next_{next} {}

  void step_begins(const std::string& task, const std::string& input, offset at,
                   const volatile op_index* op) override {
    if (next_ != nullptr) next_->step_begins(task, input, at, op);
    beat_.store(++count_, std::memory_order_relaxed);
  }
  void step_ended() override {
    beat_.store(++count_, std::memory_order_relaxed);
    if (next_ != nullptr) next_->step_ended();
  }

  /// Odd: in the ((n + 1) / 2)-th step. Even: in none.
  [[nodiscard]] std::uint64_t beat() const { return beat_.load(std::memory_order_relaxed); }

 private:
  step_watcher* next_;
  std::uint64_t count_ = 0;
  std::atomic<std::uint64_t> beat_{0};
};

}  // namespace kappa::detail
