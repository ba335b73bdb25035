#include "actors/savepoint_keeper.hpp"

#include <algorithm>
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
}

void savepoint_keeper::offer(const task_ptr& task) {
  const std::lock_guard lock{mutex_};
  // The first one an interval after the first offer: a start is not slowed down by copies.
  const auto first = std::chrono::steady_clock::now() + interval_;
  tasks_.try_emplace(task->id().text(), offered{{}, first}).first->second.task = task;
  changed_.notify_all();
}

void savepoint_keeper::forget(const task_id& task) {
  const auto name = task.text();
  std::unique_lock lock{mutex_};
  if (const auto at = tasks_.find(name); at != tasks_.end()) at->second.task.reset();
  changed_.wait(lock, [&] { return taking_ != name; });
}

void savepoint_keeper::keep() {
  std::unique_lock lock{mutex_};
  while (!stop_) {
    const auto now = std::chrono::steady_clock::now();
    auto next = now + std::chrono::hours{1};
    task_ptr due;
    for (auto& [name, t] : tasks_) {
      if (t.task.expired()) continue;
      next = std::min(next, t.due);
      if (t.due > now) continue;
      due = t.task.lock();
      if (!due) continue;
      t.task.reset();
      taking_ = name;
      break;
    }
    if (!due) {
      (void)changed_.wait_until(lock, next);
      continue;
    }
    lock.unlock();
    const bool taken = take(*due);
    auto again = std::weak_ptr{due};
    due.reset();  // perhaps the last one that has it
    lock.lock();
    auto& t = tasks_[std::exchange(taking_, {})];
    t.due = std::chrono::steady_clock::now() + interval_;
    if (!taken && t.task.expired()) t.task = again;
    changed_.notify_all();
  }
}

bool savepoint_keeper::take(runnable_task& task) {
  auto taken = caught(task.id().text(), [&] { return take_savepoint(*task.store(), *to_, work_); });
  const auto why = taken ? std::string{} : taken.error().text();
  // Once for each reason: it is tried again.
  if (std::exchange(last_error_, why) != why && !why.empty())
    log_to_(log_level::warning, "a savepoint could not be taken", {{"error", why}});
  return taken.has_value();
}

}  // namespace kappa::detail
