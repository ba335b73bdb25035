#include "actors/replay_progress.hpp"

#include <algorithm>
#include <chrono>

namespace kappa::detail {
namespace {

admin::task_replay_state state_of(rebuild_step s) {
  switch (s) {
    case rebuild_step::waiting:
      return admin::task_replay_state::waiting;
    case rebuild_step::erased:
      return admin::task_replay_state::replaying;
    case rebuild_step::done:
      return admin::task_replay_state::done;
    case rebuild_step::failed:
      return admin::task_replay_state::failed;
  }
  return admin::task_replay_state::failed;
}

}  // namespace

double pace::seconds_left(std::uint64_t done, std::uint64_t total, timestamp now) {
  if (done >= total) return total == 0 ? -1 : 0;
  if (!began_ || done < began_->done) {  // the task was opened anew
    began_.reset();
    if (done > 0) began_ = mark{done, now};
    return -1;
  }
  const std::chrono::duration<double> took = now - began_->at;
  const auto did = static_cast<double>(done - began_->done);
  if (did <= 0 || took.count() <= 0) return -1;
  return took.count() / did * static_cast<double>(total - done);
}

admin::replay_progress replay_progress::now(const pending_replay& replay, admin::replay_state state,
                                            const std::vector<task_status>& tasks, timestamp now) {
  admin::replay_progress out;
  out.stage = replay.stage;
  out.state = state;
  seen_.resize(replay.steps.size());
  for (std::size_t i = 0; i < replay.steps.size(); ++i) {
    auto& seen = seen_[i];
    admin::task_replay t;
    t.partition = replay.first + static_cast<std::int32_t>(i);
    t.state = state_of(replay.steps[i]);
    if (replay.steps[i] == rebuild_step::erased || replay.steps[i] == rebuild_step::done) {
      const auto at = std::find_if(tasks.begin(), tasks.end(), [&](const task_status& s) {
        return s.id.stage == replay.stage && s.id.partition.value == t.partition;
      });
      if (at != tasks.end()) {
        seen.done = at->progress.replayed;
        seen.total = std::max(at->progress.replay_total, seen.done);
      }
    }
    t.done = seen.done;
    t.total = seen.total;
    t.seconds_left = seen.pace.seconds_left(t.done, t.total, now);
    out.done += t.done;
    out.total += t.total;
    out.tasks.push_back(std::move(t));
  }
  out.seconds_left = pace_.seconds_left(out.done, out.total, now);
  return out;
}

}  // namespace kappa::detail
