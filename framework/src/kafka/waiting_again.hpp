// Pauses that grow, for who looks again and again until what it waits for is there.
//
// Threading: one thread; sleeps.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace kappa::kafka {

class waiting_again {
 public:
  explicit waiting_again(std::chrono::milliseconds patience)
      : until_{std::chrono::steady_clock::now() + patience} {}
  /// False: for too long now.
  bool once_more() {
    if (std::chrono::steady_clock::now() >= until_) return false;
    std::this_thread::sleep_for(pause_);
    pause_ = std::min(2 * pause_, std::chrono::milliseconds{100});
    return true;
  }

 private:
  std::chrono::steady_clock::time_point until_;
  std::chrono::milliseconds pause_{2};
};

}  // namespace kappa::kafka
