#include "actors/lane_actor.hpp"

#include <algorithm>

#include "actors/caf_compat.hpp"
#include "actors/messages.hpp"
#include "kappa/core/caught.hpp"
#include "kappa/core/failpoint.hpp"

namespace kappa::detail {
namespace {

class lane_actor final : public caf::event_based_actor {
 public:
  lane_actor(caf::actor_config& config, std::string app, std::shared_ptr<commit_lane> lane,
             std::shared_ptr<class board> board, log_sink log_to)
      : event_based_actor{config},
        app_{std::move(app)},
        lane_{std::move(lane)},
        board_{std::move(board)},
        log_to_{std::move(log_to)} {
    when_it_throws(this, [this] { board_->fail(error_caught(app_)); });
  }

  caf::behavior make_behavior() override {
    return {
        [this](const submit_ptr& s) {
          failpoint::hit("t1.submit");
          waiting_.push_back(s);
          // What is already in the mailbox joins: the flush queues up behind it.
          if (!flushing_) {
            flushing_ = true;
            post(caf::actor{this}, flush_atom_v);
          }
        },
        [this](flush_atom) { flush(); },
        [this](const forget_ptr& f) {
          std::erase_if(waiting_, [&](const submit_ptr& s) {
            return s->from == f->from && s->life == f->life;
          });
          forgetting_.push_back(f);
          tell_forgotten();
        },
    };
  }

  void on_exit() override {
    lane_.reset();  // first: it may be sending what waits
    waiting_.clear();
    forgetting_.clear();
    log_to_ = no_log;  // the actor may be kept for a while
  }

 private:
  void flush() {
    flushing_ = false;
    commit_waiting();
    tell_forgotten();
  }

  // The next life of a task goes on from the position in the log. While a commit is in doubt that
  // is not final: it would do again what turns out to be there. A flush is still to come then.
  void tell_forgotten() {
    if (lane_->in_doubt() && !board_->failure()) return;
    for (const auto& f : forgetting_)
      post(f->from, std::make_shared<epochs_forgotten>(epochs_forgotten{f->life}));
    forgetting_.clear();
  }

  void commit_waiting() {
    if ((waiting_.empty() && !lane_->in_doubt()) || board_->failure()) return;
    std::vector<epoch_ptr> epochs;
    for (const auto& s : waiting_) epochs.push_back(s->epoch);
    // What it throws leaves the outcome open, so that it must not be tried again: the host fails.
    // The lane stays and holds the app until the host has ended everything.
    result<std::vector<std::vector<offset>>> bases;
    try {
      bases = lane_->commit(epochs);
    } catch (...) {
      board_->fail(error_caught(app_));
      return;
    }
    if (!bases) {
      if (!bases.error().retriable) {
        board_->fail(bases.error());
        return;
      }
      log_to_(log_level::warning, "a commit failed, and is tried again",
              {{"error", bases.error().text()}});
      flushing_ = true;
      post_later(this, backoff_, flush_atom_v);
      backoff_ = std::min(backoff_ * 2, std::chrono::milliseconds{1000});
      return;
    }
    backoff_ = std::chrono::milliseconds{10};
    for (std::size_t i = 0; i < epochs.size(); ++i) {
      post(waiting_[i]->from, std::make_shared<epoch_committed>(epoch_committed{
                                  epochs[i]->number, waiting_[i]->life, std::move((*bases)[i])}));
    }
    waiting_.clear();
  }

  std::string app_;
  std::shared_ptr<commit_lane> lane_;
  std::shared_ptr<class board> board_;
  log_sink log_to_;
  std::vector<submit_ptr> waiting_;
  std::vector<forget_ptr> forgetting_;  // not told yet
  bool flushing_ = false;
  std::chrono::milliseconds backoff_{10};
};

class state_actor final : public caf::event_based_actor {
 public:
  state_actor(caf::actor_config& config, std::string app, std::shared_ptr<class board> board,
              std::shared_ptr<retention_keeper> retention,
              std::shared_ptr<savepoint_keeper> savepoints,
              std::shared_ptr<state_thread_signs> signs)
      : event_based_actor{config},
        retention_{std::move(retention)},
        savepoints_{std::move(savepoints)},
        signs_{std::move(signs)} {
    when_it_throws(
        this, [app = std::move(app), board = std::move(board)] { board->fail(error_caught(app)); });
  }

  caf::behavior make_behavior() override {
    return {
        [this](const write_ptr& w) {
          signs_->writing = true;
          failpoint::hit("t2.before_commit");
          auto written =
              caught(w->task->id().text(), [&] { return w->task->store()->commit(*w->delta); });
          failpoint::hit("t2.after_commit");
          signs_->writing = false;
          auto report = std::make_shared<snapshot_written>();
          report->life = w->life;
          if (!written) report->failed = written.error();
          if (written && savepoints_ && !w->of_replay) savepoints_->offer(w->task);
          post(w->from, report);
        },
        [this](const open_ptr& o) {
          // Each may take long where the log does not answer, and the stop waits for this thread.
          if (signs_->no_more_openings) return;
          // The task is `starting`: no later round of retention begins. A round may be long, and
          // other tasks wait for their T2.
          if (o->rebuild && retention_ && retention_->under_way()) {
            post_later(this, look_again, o);
          } else {
            post(o->from, open(*o));
          }
        },
    };
  }

  void on_exit() override {
    retention_.reset();
    savepoints_.reset();
  }

 private:
  static constexpr std::chrono::milliseconds look_again{20};

  opened_ptr open(const open_request& o) {
    auto opened = std::make_shared<task_opened>();
    opened->life = o.life;
    if (o.rebuild) {
      if (auto can = caught(o.task, [&] { return o.opener.check_rebuild(); }); !can) {
        opened->refused = can.error();
        return opened;
      }
      if (auto erased = caught(o.task, [&] { return o.opener.erase(); }); !erased) {
        opened->failed = erased.error();
        return opened;
      }
    }
    auto task = caught(o.task, [&] { return o.opener.open(); });
    if (task) {
      opened->task = std::move(*task);
      opened->rebuilt = o.rebuild;
    } else {
      opened->failed = task.error();
    }
    return opened;
  }

  std::shared_ptr<retention_keeper> retention_;
  std::shared_ptr<savepoint_keeper> savepoints_;
  std::shared_ptr<state_thread_signs> signs_;
};

}  // namespace

caf::actor spawn_lane(caf::actor_system& system, std::string app, std::shared_ptr<commit_lane> lane,
                      std::shared_ptr<board> board, log_sink log_to) {
  return system.spawn<lane_actor, caf::detached>(std::move(app), std::move(lane), std::move(board),
                                                 std::move(log_to));
}

caf::actor spawn_state_thread(caf::actor_system& system, std::string app,
                              std::shared_ptr<board> board,
                              std::shared_ptr<retention_keeper> retention,
                              std::shared_ptr<savepoint_keeper> savepoints,
                              std::shared_ptr<state_thread_signs> signs) {
  return system.spawn<state_actor, caf::detached>(std::move(app), std::move(board),
                                                  std::move(retention), std::move(savepoints),
                                                  std::move(signs));
}

}  // namespace kappa::detail
