// How far a replay is, and how long it will take.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "actors/pending_replay.hpp"
#include "kappa/actors/host.hpp"
#include "kappa/admin.kappa.hpp"
#include "kappa/core/time.hpp"

namespace kappa::detail {

/// Seconds that are left, by how fast `done` grew since the first call that saw something done.
class pace {
 public:
  /// -1: not known yet.
  [[nodiscard]] double seconds_left(std::uint64_t done, std::uint64_t total, timestamp now);

 private:
  struct mark {
    std::uint64_t done = 0;
    timestamp at;
  };
  std::optional<mark> began_;
};

/// Of one replay; remembers what it saw before.
class replay_progress {
 public:
  [[nodiscard]] admin::replay_progress now(const pending_replay& replay, admin::replay_state state,
                                           const std::vector<task_status>& tasks, timestamp now);

 private:
  struct seen_task {
    std::uint64_t done = 0;
    std::uint64_t total = 0;
    class pace pace;
  };
  std::vector<seen_task> seen_;
  class pace pace_;
};

}  // namespace kappa::detail
