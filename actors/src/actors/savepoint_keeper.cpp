#include "actors/savepoint_keeper.hpp"

#include <utility>

#include "kappa/core/caught.hpp"

namespace kappa::detail {

savepoint_keeper::savepoint_keeper(std::shared_ptr<savepoint_repository> to,
                                   std::chrono::milliseconds interval, std::filesystem::path work,
                                   log_sink log_to)
    : to_{std::move(to)},
      interval_{interval},
      work_{std::move(work)},
      log_to_{std::move(log_to)},
      thread_{[this] { keep(); }} {}

savepoint_keeper::~savepoint_keeper() { stop(); }

void savepoint_keeper::stop() {
  {
    const std::lock_guard lock{mutex_};
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  offered_.clear();
}

void savepoint_keeper::offer(const task_ptr& task) {
  const std::lock_guard lock{mutex_};
  if (stop_) return;
  const auto name = task->id().text();
  const auto now = std::chrono::steady_clock::now();
  // The first one an interval after the first offer: a start is not slowed down by copies.
  const auto [at, first] = taken_at_.try_emplace(name, now);
  if (now - at->second < interval_) return;
  at->second = now;
  offered_[name] = task;
  changed_.notify_all();
}

void savepoint_keeper::keep() {
  std::unique_lock lock{mutex_};
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || !offered_.empty(); });
    if (stop_) return;
    auto next = offered_.extract(offered_.begin()).mapped();
    lock.unlock();
    take(next);
    next.reset();  // perhaps the last one that has it
    lock.lock();
  }
}

void savepoint_keeper::take(const task_ptr& task) {
  auto taken =
      caught(task->id().text(), [&] { return take_savepoint(*task->store(), *to_, work_); });
  const auto why = taken ? std::string{} : taken.error().text();
  // Once for each reason: it is tried again with a later snapshot.
  if (std::exchange(last_error_, why) != why && !why.empty())
    log_to_(log_level::warning, "a savepoint could not be taken", {{"error", why}});
}

}  // namespace kappa::detail
