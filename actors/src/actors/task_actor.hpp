// The actor of one task: schedules it, and does nothing else. What is right is decided in
// runnable_task; what blocks is done by the lane and the state thread.
//
// States: opening (the state thread opens the task) → running → (an error) letting go (the lane
// forgets its epochs, a T2 under way ends) → backing off → opening …, or quarantined after too many
// errors in a row. A state that is to be rebuilt: running → letting go → opening, the state erased.
#pragma once

#include <memory>

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

#include "actors/aligner.hpp"
#include "actors/board.hpp"
#include "actors/messages.hpp"
#include "actors/step_pulse.hpp"

namespace kappa::detail {

struct task_actor_options {
  std::size_t index = 0;  // on the board
  task_id id;
  task_opener opener;
  task_ptr first;  // opened already; null: it is opened now, on the state thread
  step_pulse* pulse = nullptr;
  caf::actor lane;
  caf::actor state_thread;
  std::shared_ptr<class board> board;
  std::shared_ptr<class aligner> aligner;  // null: the task never pauses for others
  bool own_thread = false;                 // a source: it may block
  std::size_t steps_at_once = 2048;        // at most
  std::chrono::milliseconds first_backoff{100};
  std::chrono::milliseconds last_backoff{10'000};
  int failures_until_quarantine = 5;
  /// Then a task that is handed over drops what is not committed: who waits for it does it again.
  std::chrono::milliseconds hand_over_limit{1000};
  /// An opening that the recovery rules refuse fails the host, as it would at the host's start.
  bool refusal_fails_host = false;
  clock_fn clock = steady_now;
  log_sink log_to = no_log;
};

[[nodiscard]] caf::actor spawn_task(caf::actor_system& system, task_actor_options options);

}  // namespace kappa::detail
