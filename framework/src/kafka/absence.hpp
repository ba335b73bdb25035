// How long a topic may be unknown to the brokers before it counts as deleted: one that has just
// come up may not know it yet.
//
// Threading: one thread at a time.
#pragma once

#include <chrono>
#include <optional>

namespace kappa::kafka {

class absence {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds longest{15};
  static constexpr std::chrono::seconds apart{60};

  /// It is not there. True: for so long that it was deleted. (Asked again only after `apart`, it
  /// may have been there meanwhile: that is another absence.)
  [[nodiscard]] bool lasts(time_point now = std::chrono::steady_clock::now()) {
    if (!since_ || now - asked_ > apart) since_ = now;
    asked_ = now;
    return now - *since_ >= longest;
  }
  /// It is there, or nobody knows.
  void over() { since_.reset(); }

 private:
  std::optional<time_point> since_;
  time_point asked_;
};

}  // namespace kappa::kafka
