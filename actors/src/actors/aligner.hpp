// Alignment of event time: a task that is far ahead of the slowest one of its stage pauses, or the
// windows that a backfill opens downstream would fill the memory.
//
// Scheduling only: what a task computes does not depend on it, and a replay knows nothing of it.
// Only a task that has something to read holds others back, so a quiet, idle, finished or
// quarantined one never does; the slowest itself is never paused.
//
// Threading: any thread.
#pragma once

#include <algorithm>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "kappa/core/time.hpp"
#include "kappa/stream/topology.hpp"

namespace kappa::detail {

/// Whether tasks of the stage can be apart in event time: they read topics from outside, or several
/// inputs.
inline bool may_drift(const stage_spec& stage) {
  const bool outside = std::any_of(stage.inputs.begin(), stage.inputs.end(),
                                   [](const auto& in) { return !in.internal; });
  return !stage.source && (outside || stage.inputs.size() > 1);
}

class aligner {
 public:
  /// All members count as having something to read until they say otherwise.
  aligner(milliseconds max_drift, std::size_t members) : max_drift_{max_drift}, members_(members) {}

  /// `wake` is called when the member may go on, without locks held. It counts as having something
  /// to read until it says otherwise.
  void connect(std::size_t member, std::function<void()> wake) {
    const std::lock_guard lock{mutex_};
    members_[member] = {};
    members_[member].wake = std::move(wake);
  }

  /// How far a member is, whether it has something to read, and whether it is paused. Gives the
  /// limit up to which it may go.
  timestamp report(std::size_t member, timestamp watermark, bool has_work, bool paused) {
    std::vector<std::function<void()>> woken;
    timestamp limit = max_time;
    {
      const std::lock_guard lock{mutex_};
      auto& self = members_[member];
      self.watermark = watermark;
      self.has_work = has_work;
      self.paused = paused;
      limit = limit_unlocked();
      for (auto& m : members_) {
        if (!m.paused || m.watermark > limit) continue;
        m.paused = false;
        if (m.wake) woken.push_back(m.wake);
      }
    }
    for (const auto& w : woken) w();
    return limit;
  }

  [[nodiscard]] timestamp limit() const {
    const std::lock_guard lock{mutex_};
    return limit_unlocked();
  }

  /// The member holds nobody back any more (until its next report).
  void leave(std::size_t member) { (void)report(member, max_time, false, false); }
  /// As leave, and it will not be woken again.
  void end(std::size_t member) {
    leave(member);
    const std::lock_guard lock{mutex_};
    members_[member].wake = nullptr;
  }

 private:
  struct entry {
    timestamp watermark = min_time;
    bool has_work = true;
    bool paused = false;
    std::function<void()> wake;
  };

  [[nodiscard]] timestamp limit_unlocked() const {
    auto limit = max_time;
    for (const auto& m : members_) {
      if (m.has_work) limit = std::min(limit, saturating_add(m.watermark, max_drift_));
    }
    return limit;
  }

  mutable std::mutex mutex_;
  milliseconds max_drift_;
  std::vector<entry> members_;
};

}  // namespace kappa::detail
