// The commit lane's thread: puts the epochs that came together while the last T1 was in flight
// into the next one (group commit).
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

#include "actors/board.hpp"
#include "actors/retention_keeper.hpp"
#include "actors/savepoint_keeper.hpp"
#include "kappa/task/commit_lane.hpp"

namespace kappa::detail {

/// Holds `app` until it has ended.
[[nodiscard]] caf::actor spawn_lane(caf::actor_system& system, std::string app,
                                    std::shared_ptr<commit_lane> lane, std::shared_ptr<board> board,
                                    log_sink log_to);
/// What the host and the state thread tell each other beside messages, which wait in its mailbox.
struct state_thread_signs {
  std::atomic<bool> no_more_openings = false;  // the host stops
  std::atomic<bool> writing = false;           // a T2
};
/// The thread for T2, for erasing states and for opening tasks. `retention`, `savepoints`: null
/// where there are none.
[[nodiscard]] caf::actor spawn_state_thread(caf::actor_system& system, std::string app,
                                            std::shared_ptr<board> board,
                                            std::shared_ptr<retention_keeper> retention,
                                            std::shared_ptr<savepoint_keeper> savepoints,
                                            std::shared_ptr<state_thread_signs> signs);

}  // namespace kappa::detail
