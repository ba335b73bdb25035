// Answers the requests in `<app>.admin` (docs/reference/admin.md).
//
// A reply, the position behind its request and what is still to be done go into one transaction of
// the app's lane, so a request is answered once, whatever crashes. A thread of its own: it reads
// the log, and waits for tasks that are asked for state.
//
// Where several processes run the app each answers for itself, and whoever asks puts the answers
// together (admin_client). Then there is no position: a process answers what is asked from when it
// joined on, and what was asked before it, or while it was dead, nobody waits for any more.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

#include "actors/board.hpp"
#include "actors/state_answer.hpp"
#include "kappa/admin.kappa.hpp"
#include "kappa/core/logger.hpp"
#include "kappa/core/time.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa::detail {

struct admin_task {
  task_id id;
  /// Null: it does not run here.
  std::function<caf::actor()> actor;
  /// Whether its state could be built anew. Blocks.
  std::function<result<void>()> check_rebuild;
};

/// One of several processes that run the app.
struct admin_among {
  std::string process;  // membership::process
  offset from;          // the end of the requests before it joined
};

struct admin_options {
  std::shared_ptr<const kappa::topology> topology;
  std::string instance;  // who replies
  std::optional<admin_among> among;
  std::shared_ptr<event_log> log;
  caf::actor lane;
  std::shared_ptr<class board> board;
  std::vector<admin_task> tasks;  // as the board's
  std::function<result<admin::status>(const std::string& stage)> status;
  std::function<result<admin::found>(const state_question&)> find;
  std::chrono::milliseconds progress_interval{1000};
  clock_fn clock;
  log_sink log_to;
};

/// The topics are there. errc::corrupt: what the position says of replays that are under way is
/// malformed.
[[nodiscard]] result<caf::actor> spawn_admin(caf::actor_system& system, admin_options options);

}  // namespace kappa::detail
