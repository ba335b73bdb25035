#include "log/group_commit.hpp"

#include <algorithm>

#include "kappa/core/failpoint.hpp"

namespace kappa::detail {
namespace {

// Of the last commit's time, and at most: what waiting in vain may cost.
constexpr int gathering_share = 8;
constexpr std::chrono::milliseconds longest_gathering{2};

}  // namespace

result<void> group_commit::run(commit_work& work) {
  std::unique_lock lock{mutex_};
  queue_.push_back(&work);
  if (queue_.size() == expected_) arrived_.notify_one();
  while (!work.done) {
    if (leading_) {
      changed_.wait(lock);
      continue;
    }
    leading_ = true;
    gather(lock);
    std::vector<commit_work*> group;
    group.swap(queue_);
    lock.unlock();
    const auto begun = std::chrono::steady_clock::now();
    commit(group);
    lock.lock();
    last_took_ = std::chrono::steady_clock::now() - begun;
    last_group_ = group.size();
    left_waiting_ = queue_.size();
    for (auto* w : group) w->done = true;
    leading_ = false;
    changed_.notify_all();
  }
  return std::move(work.outcome);
}

void group_commit::gather(std::unique_lock<std::mutex>& lock) {
  if (last_group_ < 2) return;  // nobody else commits at the same time
  expected_ = left_waiting_ + last_group_;
  if (queue_.size() >= expected_) return;
  arrived_.wait_for(lock,
                    std::min<std::chrono::steady_clock::duration>(last_took_ / gathering_share,
                                                                  longest_gathering),
                    [this] { return queue_.size() >= expected_; });
  expected_ = 0;
}

void group_commit::commit(const std::vector<commit_work*>& group) {
  auto r = attempt(group);
  if (r) return;
  if (group.size() == 1 || r.error().code == errc::indefinite) {
    for (auto* w : group) w->outcome = fail(r.error());
    return;
  }
  // Nothing was written. One of them may be at fault (too large for the disk, a damaged
  // partition): each for itself, so that the others are not refused with it.
  for (auto* w : group) {
    if (auto alone = attempt({w}); !alone) w->outcome = fail(alone.error());
  }
}

result<void> group_commit::attempt(const std::vector<commit_work*>& group) {
  bool appended = false;
  auto r = store_.env().write([&](lmdb::write_txn& txn) -> result<void> {
    failpoint::hit("log.begin");
    log_change change{store_, txn};
    for (auto* w : group) {
      w->outcome = w->check(change);
      if (!w->outcome) continue;
      if (auto applied = w->apply(change); !applied) return applied;
    }
    if (auto finished = change.finish(); !finished) return finished;
    appended = change.appended();
    failpoint::hit("log.before_commit");
    return {};
  });
  if (!r) return r;
  failpoint::hit("log.after_commit");
  if (appended && wake_ != nullptr) wake_->bump();
  failpoint::hit("log.after_wake");
  return {};
}

}  // namespace kappa::detail
