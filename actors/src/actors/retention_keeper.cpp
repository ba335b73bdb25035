#include "actors/retention_keeper.hpp"

#include <string>
#include <utility>

#include "kappa/core/caught.hpp"

namespace kappa::detail {

retention_keeper::retention_keeper(std::shared_ptr<event_log> log,
                                   std::chrono::milliseconds interval, std::function<bool()> held,
                                   clock_fn clock, log_sink log_to)
    : log_{std::move(log)},
      interval_{interval},
      held_{std::move(held)},
      clock_{std::move(clock)},
      log_to_{std::move(log_to)},
      thread_{[this] { keep(); }} {}

retention_keeper::~retention_keeper() { stop(); }

void retention_keeper::stop() {
  {
    const std::lock_guard lock{mutex_};
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void retention_keeper::keep() {
  std::unique_lock lock{mutex_};
  while (!wake_.wait_for(lock, interval_, [this] { return stop_; })) {
    lock.unlock();
    round();
    lock.lock();
  }
}

void retention_keeper::round() {
  const std::lock_guard under_way{round_};
  if (held_()) return;
  auto done = caught(log_->name(), [&] { return log_->apply_retention(clock_()); });
  if (!done) {
    log_to_(log_level::error, "retention failed", {{"error", done.error().text()}});
  } else if (done->records > 0) {
    log_to_(log_level::info, "retention",
            {{"records", std::to_string(done->records)}, {"bytes", std::to_string(done->bytes)}});
  }
}

bool retention_keeper::under_way() {
  const std::unique_lock none{round_, std::try_to_lock};
  return !none.owns_lock();
}

}  // namespace kappa::detail
