#include "kappa/task/standby.hpp"

#include <utility>

#include "kappa/core/caught.hpp"

namespace kappa {
namespace {

constexpr std::size_t steps_a_turn = 256;
// Input that is committed is there; only its way from the log takes time.
constexpr std::chrono::milliseconds standby_looks_every{200};

}  // namespace

standby::standby(task_options options) : options_{std::move(options)} {
  options_.standby = true;
  options_.gives_way = [this] { return stop_.exchange(false); };
}

void standby::stop() {
  stop_ = true;
  bell_->ring();
}

result<void> standby::save(runnable_task& t, bool final) {
  if (auto closed = t.close(options_.clock(), final); !closed) return fail(closed.error());
  while (auto delta = t.snapshot_ready()) {
    if (auto written = t.store()->commit(*delta); !written) return written;
    t.snapshot_done();
  }
  return {};
}

result<standby_progress> standby::catch_up() {
  standby_progress done;
  auto task = detail::caught(options_.stage, [&] { return open_task(options_); });
  if (!task && task.error().code == errc::stopped) return done;
  if (!task) return fail(task.error());
  auto& t = **task;
  auto subscribed = t.subscribe([b = bell_] { b->ring(); });
  if (!subscribed) return fail(subscribed.error());
  while (!stop_.exchange(false)) {
    auto status = t.run(steps_a_turn);
    if (!status) return fail(status.error());
    done.whole = !status->replaying;
    if (done.whole || status->blocked || t.should_close(options_.clock())) {
      if (auto saved = save(t, done.whole); !saved) return fail(saved.error());
    }
    if (done.whole) break;
    if (!status->more && !status->blocked)
      (void)bell_->wait_until(std::chrono::steady_clock::now() + standby_looks_every);
  }
  const auto now = t.progress();
  done.epoch = now.epoch;
  done.replayed = now.replayed;
  return done;
}

}  // namespace kappa
