#include "actors/watchdog.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace kappa::detail {

watchdog::watchdog(std::chrono::milliseconds limit, std::vector<const step_pulse*> pulses,
                   std::shared_ptr<class board> board, log_sink log_to)
    : limit_{limit},
      pulses_{std::move(pulses)},
      board_{std::move(board)},
      log_to_{std::move(log_to)},
      thread_{[this] { watch(); }} {}

watchdog::~watchdog() { stop(); }

void watchdog::stop() {
  {
    const std::lock_guard lock{mutex_};
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void watchdog::watch() {
  struct seen_beat {
    std::uint64_t beat = 0;
    std::chrono::steady_clock::duration lasted{};
  };
  std::vector<seen_beat> seen(pulses_.size());
  std::unique_lock lock{mutex_};
  const std::chrono::steady_clock::duration period =
      std::max(limit_ / 4, std::chrono::milliseconds{25});
  auto last = std::chrono::steady_clock::now();
  while (!wake_.wait_for(lock, period, [this] { return stop_; })) {
    const auto now = std::chrono::steady_clock::now();
    // A process that was stopped as a whole did not hang for that long.
    const auto passed = std::min(now - last, 2 * period);
    last = now;
    for (std::size_t i = 0; i < pulses_.size() && !hung_; ++i) {
      const auto beat = pulses_[i]->beat();
      if (beat != seen[i].beat) {
        seen[i] = {beat, {}};
      } else {
        seen[i].lasted += passed;
      }
      if (beat % 2 == 0 || seen[i].lasted < limit_) continue;
      hung_ = true;
      error e{errc::quarantined, "",
              fmt::format("a handler has been running for more than {} ms; user code hangs",
                          limit_.count())};
      board_->update(i, [&](task_status& s) {
        e.subject = s.id.text();
        s.health = task_health::quarantined;
        s.last_error = e;
      });
      log_to_(log_level::error, "a handler hangs", {{"task", e.subject}, {"error", e.message}});
      board_->fail(e);
    }
  }
}

}  // namespace kappa::detail
