// Where commands wait for the task that decides them. It outlives the task, so that what comes
// while a task starts anew waits for the next life of it.
//
// Threading: any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "kappa/aggregate/command.hpp"
#include "kappa/core/error.hpp"

namespace kappa {

class command_inbox {
 public:
  /// Commands that may wait, and bytes of them, ≥ 1; whoever asks for more is told to come back.
  explicit command_inbox(std::size_t most, std::size_t most_bytes = std::size_t{64} << 20)
      : most_{most}, most_bytes_{most_bytes} {}

  /// Called when commands come to where none waited, on the thread that brings them.
  void on_commands(std::function<void()> wake) {
    const std::lock_guard lock{mutex_};
    wake_ = std::move(wake);
  }

  /// errc::unavailable: it is full; or why it was closed.
  /// Then the call is as it was.
  [[nodiscard]] result<void> put(command_call&& call) {
    std::function<void()> wake;
    {
      const std::lock_guard lock{mutex_};
      if (closed_) return fail(*closed_);
      if (waiting_.size() >= most_ || bytes_ >= most_bytes_) {
        return fail(errc::unavailable, "commands",
                    "as many as may wait for the aggregate's partition already do", true);
      }
      if (waiting_.empty()) wake = wake_;
      bytes_ += call.key.size() + call.body.size();
      waiting_.push_back(std::move(call));
    }
    if (wake) wake();
    return {};
  }

  /// All that wait, in the order in which they came. `out` is replaced; its memory is used again.
  void take(std::vector<command_call>& out) {
    out.clear();
    const std::lock_guard lock{mutex_};
    out.swap(waiting_);
    bytes_ = 0;
  }

  /// All that wait, and all that come until it is opened again, are told that this is why they
  /// cannot be decided.
  void close(const error& why) {
    std::vector<command_call> waiting;
    {
      const std::lock_guard lock{mutex_};
      closed_ = why;
      waiting.swap(waiting_);
      bytes_ = 0;
    }
    for (const auto& call : waiting) tell(call.done, why);
  }
  void open() {
    const std::lock_guard lock{mutex_};
    closed_.reset();
  }

  [[nodiscard]] bool empty() const {
    const std::lock_guard lock{mutex_};
    return waiting_.empty();
  }

 private:
  const std::size_t most_;
  const std::size_t most_bytes_;
  mutable std::mutex mutex_;
  std::vector<command_call> waiting_;
  std::size_t bytes_ = 0;
  std::function<void()> wake_;
  std::optional<error> closed_;
};

}  // namespace kappa
