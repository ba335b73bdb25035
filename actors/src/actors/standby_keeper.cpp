#include "actors/standby_keeper.hpp"

#include <utility>

#include "kappa/core/caught.hpp"

namespace kappa::detail {
namespace {

constexpr std::chrono::seconds patience{1};

}  // namespace

standby_keeper::standby_keeper(const std::vector<std::optional<task_options>>& tasks,
                               standby_choice choose, standby_report report,
                               std::chrono::milliseconds interval, log_sink log_to)
    : choose_{std::move(choose)},
      report_{std::move(report)},
      interval_{interval},
      log_to_{std::move(log_to)} {
  for (const auto& t : tasks) {
    follower f;
    if (t) f.of = std::make_unique<standby>(*t);
    all_.push_back(std::move(f));
  }
}

standby_keeper::~standby_keeper() { stop(); }

void standby_keeper::begin(std::string me) {
  thread_ = std::thread{[this, me = std::move(me)] { keep(me); }};
}

void standby_keeper::end_soon() {
  const std::lock_guard lock{mutex_};
  stop_ = true;
  if (at_it_) all_[*at_it_].of->stop();
  changed_.notify_all();
}

void standby_keeper::stop() {
  end_soon();
  if (thread_.joinable()) thread_.join();
}

void standby_keeper::given(std::size_t task) {
  const std::lock_guard lock{mutex_};
  ++all_.at(task).here;
  if (at_it_ == task) all_[task].of->stop();
}

void standby_keeper::await_free(std::size_t task) {
  std::unique_lock lock{mutex_};
  (void)changed_.wait_for(lock, patience, [&] { return at_it_ != task; });
}

void standby_keeper::gone(std::size_t task) {
  const std::lock_guard lock{mutex_};
  --all_.at(task).here;
}

void standby_keeper::keep(const std::string& me) {
  std::unique_lock lock{mutex_};
  while (!changed_.wait_for(lock, interval_, [this] { return stop_; })) {
    lock.unlock();
    auto chosen = choose_(me);
    lock.lock();
    const auto why = chosen ? std::string{} : chosen.error().text();
    if (std::exchange(choice_error_, why) != why && !chosen)
      log_to_(log_level::warning, "standbys wait", {{"error", why}});
    if (!chosen) continue;
    for (std::size_t i = 0; i < all_.size() && !stop_; ++i) {
      if (!all_[i].of || !chosen->at(i) || all_[i].here > 0) continue;
      at_it_ = i;
      lock.unlock();
      follow(i);
      lock.lock();
      at_it_.reset();
      changed_.notify_all();
    }
  }
}

void standby_keeper::follow(std::size_t task) {
  auto& f = all_[task];
  auto done = caught("a standby", [&] { return f.of->catch_up(); });
  const bool nothing_yet = !done && done.error().code == errc::not_found;
  const auto why = done || nothing_yet ? std::string{} : done.error().text();
  // Once for each reason: it is tried again in each round.
  if (std::exchange(f.last_error, why) != why && !why.empty())
    log_to_(log_level::warning, "a standby cannot follow its task", {{"error", why}});
  if (done && done->whole) report_(task, *done);
}

}  // namespace kappa::detail
