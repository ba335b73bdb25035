// Tells the watchdog whether a task is in code that may hang, and whether it still gets on.
//
// Steps are user code; what is between the steps of a turn is the log, and a source's own code.
//
// Threading: `beat` from any thread, everything else on the task's.
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
    strike(true);
  }
  void step_ended() override {
    strike(in_turn_);
    if (next_ != nullptr) next_->step_ended();
  }

  /// For the length of a turn (runnable_task::run).
  class turn {
   public:
    explicit turn(step_pulse& pulse) : pulse_{pulse} { pulse_.strike(pulse_.in_turn_ = true); }
    ~turn() { pulse_.strike(pulse_.in_turn_ = false); }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;

   private:
    step_pulse& pulse_;
  };

  /// Changes while the task gets on. Odd: it is in a step or a turn.
  [[nodiscard]] std::uint64_t beat() const { return beat_.load(std::memory_order_relaxed); }

 private:
  void strike(bool busy) { beat_.store(++count_ * 2 + (busy ? 1 : 0), std::memory_order_relaxed); }

  step_watcher* next_;
  std::uint64_t count_ = 0;
  bool in_turn_ = false;
  std::atomic<std::uint64_t> beat_{0};
};

}  // namespace kappa::detail
