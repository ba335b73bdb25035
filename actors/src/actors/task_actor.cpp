#include "actors/task_actor.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include <fmt/format.h>

#include "actors/caf_compat.hpp"
#include "actors/task_reads.hpp"
#include "kappa/core/caught.hpp"

namespace kappa::detail {
namespace {

constexpr std::chrono::milliseconds longest_turn{20};
constexpr std::chrono::milliseconds publish_interval{200};
constexpr std::size_t most_early_reads = 1024;

class task_actor final : public caf::event_based_actor {
 public:
  task_actor(caf::actor_config& config, task_actor_options options)
      : event_based_actor{config}, options_{std::move(options)} {
    when_it_throws(this, [this] {  // the last net: what is meant to fail returns an error
      const auto e = error_caught(name_);
      options_.board->fail(e);
      options_.board->update(options_.index, [&](task_status& s) {
        s.health = task_health::quarantined;
        s.last_error = e;
      });
    });
  }

  caf::behavior make_behavior() override {
    if (options_.aligner) options_.aligner->connect(member(), waker());
    if (options_.first) {
      begin(std::move(options_.first));
    } else {
      reopen();
    }
    return {
        [this](drain_atom) {
          drain_queued_ = false;
          *data_pending_ = false;
          work();
        },
        [this](tick_atom) {
          tick_at_.reset();
          work();
        },
        [this](const committed_ptr& c) {
          if (c->life != life_ || !task_ || letting_go_) return;
          task_->committed(c->number, c->bases);
          if (!snapshot_owed_) forget_failures();
          if (!stopping_ && task_->outdated()) {
            options_.log_to(log_level::info, "the state is built anew, as ordered",
                            {{"task", name_}});
            leave();
            return;
          }
          work();
        },
        [this](const written_ptr& w) {
          if (w->life != life_ || !task_) return;
          being_written_ = false;
          if (letting_go_) {
            if (forgotten_) let_go();
          } else if (w->failed) {
            snapshot_failed(*w->failed);
          } else {
            if (!writing_->of_replay) options_.board->building(options_.index, false);
            writing_.reset();
            snapshot_backoff_ = options_.first_backoff;
            if (snapshot_owed_) forget_failures();
            snapshot_owed_ = false;
            task_->snapshot_done();
            work();
          }
        },
        [this](const read_ptr& r) {
          if (r->options.linearizable && task_) {
            confirm(r);
          } else {
            const auto waiting = early_reads_.size();
            answer(r);
            if (early_reads_.size() > waiting) queue_drain();  // what it waits for may be closed
          }
        },
        [this](const stop_ptr& s) { stop(s); },
        [this](const forgotten_ptr& f) {
          if (f->life != life_) return;
          forgotten_ = true;
          if (!being_written_) let_go();
        },
        [this](reopen_atom) { reopen(); },
        [this](const rebuild_ptr& r) { rebuild(r); },
        [this](const order_ptr& o) {
          if (!task_ || letting_go_ || stopping_) return;
          task_->order_rebuild(o->order);
          queue_drain();
        },
        [this](const opened_ptr& o) {
          if (o->life != life_) return;
          opening_ = false;
          if (o->refused) {
            options_.board->building(options_.index, false);
            rebuild_over(rebuild_step::failed, *o->refused);
            reopen();
          } else if (o->failed) {
            opening_failed(*o->failed);
          } else {
            if (o->rebuilt) to_erase_ = false;
            // At once: whether it replays is asked for before its first turn.
            auto now = caught(name_, [&] { return result<task_progress>{o->task->progress()}; });
            if (now) {
              options_.board->update(options_.index, [&](task_status& s) { s.progress = *now; });
              if (now->phase == task_phase::replaying)
                options_.board->building(options_.index, true);
              begin(o->task);
            } else {
              failed(now.error());
            }
            if (o->rebuilt) tell(rebuild_step::erased, std::nullopt);
          }
        },
    };
  }

  void on_exit() override {
    if (options_.aligner) options_.aligner->end(member());
    subscriptions_.clear();
    early_reads_.clear();
    task_.reset();
    writing_.reset();
    options_ = {};  // a message that is due later keeps the actor
  }

 private:
  void begin(task_ptr task) {
    task_ = std::move(task);
    auto subscribed = task_->subscribe(waker());
    if (!subscribed) {
      failed(subscribed.error());
      return;
    }
    subscriptions_ = std::move(*subscribed);
    set_health(task_health::running);
    if (to_erase_) {  // it was asked for while the task was being opened
      leave();
      return;
    }
    queue_drain();
  }

  // ── a state that is built anew ──

  void rebuild(const rebuild_ptr& r) {
    if (stopping_) return;  // it is noted down: the next host does it
    rebuild_ = r;
    to_erase_ = r->erase;
    if (quarantined_) {
      quarantined_ = false;
      if (options_.opener.commands) options_.opener.commands->open();
      forget_failures();
      reopen();
    } else if (!to_erase_) {
      if (task_) queue_drain();  // it may be live already
    } else if (task_ && !letting_go_) {
      leave();
    }  // else the next opening does it
  }

  // As after a failure, but nobody failed.
  void leave() {
    leaving_ = true;
    let_go_soon();
    set_health(task_health::starting);
    if (options_.aligner) options_.aligner->leave(member());
  }

  void rebuild_over(rebuild_step how, std::optional<error> e) {
    to_erase_ = false;
    tell(how, std::move(e));
    rebuild_.reset();
  }

  void tell(rebuild_step step, std::optional<error> e) {
    if (!rebuild_) return;
    auto m = std::make_shared<state_rebuilt>();
    m->request = rebuild_->request;
    m->task = options_.id.partition;
    m->step = step;
    m->failed = std::move(e);
    post(rebuild_->from, std::move(m));
  }

  std::function<void()> waker() {
    return [me = caf::actor{this}, pending = data_pending_] {
      if (!pending->exchange(true)) post(me, drain_atom_v);
    };
  }

  std::size_t member() const { return static_cast<std::size_t>(options_.id.partition.value); }

  void queue_drain() {
    if (drain_queued_) return;
    drain_queued_ = true;
    post(caf::actor{this}, drain_atom_v);
  }

  void work() {
    if (letting_go_) return;  // what failed must not close another epoch
    if (!task_) {
      if (stopping_) stopped({});
      return;
    }
    if (auto worked = caught(name_, [this] { return turn(); }); !worked) failed(worked.error());
  }

  result<void> turn() {
    bool more = false;
    bool rebuilt = false;
    if (!stopping_) {
      const auto began = std::chrono::steady_clock::now();
      if (options_.aligner) task_->set_time_limit(options_.aligner->limit());
      auto status = run();
      if (!status) return fail(status.error());
      more = status->more;
      replaying_ = status->replaying;
      rebuilt = rebuild_ && !to_erase_ && !status->replaying;
      if (options_.aligner) {
        if (status->replaying) {  // what it does again opens nothing downstream
          options_.aligner->leave(member());
        } else {
          (void)options_.aligner->report(member(), status->watermark,
                                         more || status->blocked || status->paused, status->paused);
        }
      }
      fit_turn(status->steps, std::chrono::steady_clock::now() - began);
    }
    answer_early_reads();
    const auto now = options_.clock();
    // An orderly stop closes until there is nothing left: what was in flight or being written at
    // the first time may have held a snapshot back.
    const bool handing_over = stopping_ && stopping_->kind == stop_kind::hand_over;
    const bool final = stopping_ && !handing_over && (!final_closed_ || quiet());
    const bool last = handing_over && !final_closed_;
    if (task_->should_close(now) || final || last) {
      auto closed = caught(name_, [&] { return task_->close(now, final); });
      if (!closed) {
        // It may be the freezing that fails, while commits go on.
        snapshot_owed_ = task_->store() != nullptr;
        return fail(closed.error());
      }
      if (final || last) final_closed_ = true;
      if (*closed) {
        post(options_.lane, std::make_shared<submit_epoch>(
                                submit_epoch{std::move(*closed), caf::actor{this}, life_}));
      }
    }
    if (!writing_ && !handing_over) {
      if (auto delta = task_->snapshot_ready()) {
        writing_ = std::make_shared<write_snapshot>(
            write_snapshot{task_, std::make_shared<state_delta>(std::move(*delta)),
                           caf::actor{this}, life_, replaying_});
        write_snapshot_now();
      }
    }
    if (rebuilt) published_at_.reset();
    publish(now);
    if (rebuilt) rebuild_over(rebuild_step::done, std::nullopt);
    if (stopping_) {
      if (quiet()) stopped(unsaved_ && !handing_over ? fail(*unsaved_) : result<void>{});
      return {};
    }
    if (more) {
      queue_drain();
      return {};
    }
    auto at = task_->next_deadline();
    if (unpublished_) {
      const auto due = *published_at_ + publish_interval;
      at = at ? std::min(*at, due) : due;
    }
    if (at) {
      // As far as clocks can count. (It is looked at again then.)
      at = std::clamp(*at, now, saturating_add(now, std::chrono::hours{1}));
      // (One that is overdue was asked for before the clock was set on.)
      if (!tick_at_ || *at < *tick_at_ || *tick_at_ < now) {
        tick_at_ = *at;
        post_later(this,
                   std::max(std::chrono::milliseconds{1}, std::chrono::milliseconds{*at - now}),
                   tick_atom_v);
      }
    }
    return {};
  }

  result<run_status> run() {
    const step_pulse::turn watched{*options_.pulse};
    return task_->run(steps_);
  }

  // Who hands a task over takes no snapshot; one that is being written ends by itself.
  [[nodiscard]] bool quiet() const {
    if (task_->in_flight() != 0) return false;
    if (stopping_ && stopping_->kind == stop_kind::hand_over) return true;
    return unsaved_ || !task_->snapshot_pending();
  }

  // A turn is short whatever a step takes, so that commits, queries and a stop come in between.
  void fit_turn(std::size_t steps, std::chrono::steady_clock::duration took) {
    if (took > longest_turn) {
      steps_ = std::max<std::size_t>(1, steps_ / 2);
    } else if (steps >= steps_ && took < longest_turn / 4) {
      steps_ = std::min(options_.steps_at_once, steps_ * 2);
    }
  }

  // ── stopping ──

  // A task that stops in good order may be taken away meanwhile: who waits for the stop is answered
  // all the same.
  void stop(const stop_ptr& s) {
    if (stopping_) {
      stopping_->kind = s->kind;
    } else {
      stopping_ = s;
    }
    if (s->kind == stop_kind::lost && task_ && !letting_go_) {
      leave();
      return;
    }
    if (s->kind == stop_kind::hand_over) {
      // Others wait for it; and of a commit that cannot succeed any more, as the task is another's
      // already, nobody would tell.
      run_delayed(options_.hand_over_limit, [this] {
        if (stopping_ && task_ && !letting_go_) leave();
      });
    }
    work();
  }

  // ── failing ──

  void opening_failed(const error& e) {
    const bool refused = e.code == errc::refused_start || e.code == errc::incompatible;
    if (refused && options_.refusal_fails_host) options_.board->fail(e);
    failed(e, !e.retriable);  // a log that does not answer will, some time
  }

  void failed(const error& e, bool lasting = true) {
    ++failures_;
    if (lasting) ++lasting_failures_;
    last_error_ = e;
    options_.log_to(
        log_level::error, "a task failed",
        {{"task", name_}, {"error", e.text()}, {"failures", std::to_string(failures_)}});
    options_.board->update(options_.index, [&](task_status& s) {
      s.last_error = e;
      s.failures = failures_;
      s.health = task_health::backing_off;
    });
    let_go_soon();
  }

  void forget_failures() {
    failures_ = 0;
    lasting_failures_ = 0;
  }

  void let_go_soon() {
    subscriptions_.clear();
    letting_go_ = true;
    forgotten_ = false;
    // Its epochs may be in flight: the lane answers after the T1 it is busy with, so what the next
    // opening reads in the log is final.
    post(options_.lane, std::make_shared<forget_epochs>(forget_epochs{caf::actor{this}, life_}));
  }

  void let_go() {
    letting_go_ = false;
    ++life_;
    task_.reset();
    writing_.reset();
    unsaved_.reset();
    final_closed_ = false;
    published_finished_ = false;
    tick_at_.reset();
    const bool left = std::exchange(leaving_, false);
    if (stopping_) {
      if (left) {
        stopped({});
        return;
      }
      stopped(fail(
          errc::stopped, name_,
          fmt::format("it had failed ({}); its last epochs will be replayed", last_error_.text())));
      return;
    }
    if (left) {
      reopen();
      return;
    }
    if (lasting_failures_ >= options_.failures_until_quarantine) {
      options_.log_to(log_level::error, "a task is quarantined", {{"task", name_}});
      if (options_.aligner) options_.aligner->leave(member());
      quarantined_ = true;
      set_health(task_health::quarantined);
      if (options_.opener.commands) {
        options_.opener.commands->close(
            {errc::unavailable, name_, "the task is in quarantine: it keeps failing", true});
      }
      rebuild_over(rebuild_step::failed, last_error_);
      return;
    }
    const auto wait = std::min(options_.last_backoff,
                               options_.first_backoff * (1 << std::min(failures_ - 1, 16)));
    post_later(this, wait, reopen_atom_v);
  }

  void reopen() {
    if (task_ || stopping_ || opening_ || quarantined_) return;
    opening_ = true;
    if (to_erase_) options_.board->building(options_.index, true);
    set_health(task_health::starting);
    post(options_.state_thread, std::make_shared<open_request>(open_request{
                                    name_, options_.opener, to_erase_, caf::actor{this}, life_}));
  }

  void write_snapshot_now() {
    being_written_ = true;
    post(options_.state_thread, writing_);
  }

  void snapshot_failed(const error& e) {
    if (!e.retriable) {  // with this environment never, perhaps with a fresh one
      snapshot_owed_ = true;
      failed(e);
      return;
    }
    options_.log_to(log_level::error, "a snapshot failed, and is tried again",
                    {{"task", name_}, {"error", e.text()}});
    options_.board->update(options_.index, [&](task_status& s) { s.last_error = e; });
    if (stopping_) {  // what is committed may be in the lane still
      unsaved_ = e;
      work();
      return;
    }
    // Weak: the state must be closed by the time it is opened anew.
    run_delayed(snapshot_backoff_, [this, again = std::weak_ptr{writing_}] {
      if (const auto w = again.lock(); w && writing_ == w && !letting_go_) write_snapshot_now();
    });
    snapshot_backoff_ = std::min(snapshot_backoff_ * 2, options_.last_backoff);
  }

  void stopped(result<void> how) {
    if (!stopping_) return;
    set_health(stopping_->kind != stop_kind::orderly ? task_health::elsewhere
               : task_ && task_->finished()          ? task_health::finished
                                                     : task_health::stopped);
    stopping_->done.set_value(std::move(how));
    stopping_.reset();
    subscriptions_.clear();
    if (options_.aligner) options_.aligner->leave(member());
    quit();
  }

  // ── telling ──

  void set_health(task_health h) {
    options_.board->update(options_.index, [&](task_status& s) { s.health = h; });
  }

  void publish(timestamp now) {
    const bool finished = task_->finished() && !task_->snapshot_pending();
    if (finished && published_finished_) return;
    unpublished_ = !finished && published_at_ && now - *published_at_ < publish_interval;
    if (unpublished_) return;
    published_at_ = now;
    published_finished_ = finished;
    auto progress = task_->progress();
    // Built of nothing, so there is nothing to write either.
    if (progress.phase == task_phase::live && progress.dirty_bytes == 0 &&
        !task_->snapshot_pending()) {
      options_.board->building(options_.index, false);
    }
    options_.board->update(options_.index, [&](task_status& s) {
      s.progress = progress;
      s.failures = failures_;
      s.health = finished ? task_health::finished : task_health::running;
    });
  }

  void confirm(const read_ptr& r) {
    // An error comes when the task ends too, and this actor may have ended before.
    task_->confirm([this, r](result<void> durable) {
      if (!durable) {
        r->answer.set_value(fail(durable.error()));
        return;
      }
      r->options.level = read_level::committed;
      answer(r);
    });
    work();
  }

  void answer(const read_ptr& r) {
    auto found = caught(name_, [&] { return read(*r); });
    if (!found) return r->answer.set_value(fail(std::move(found.error())));
    if (*found) return r->answer.set_value(std::move(**found));
    if (options_.clock() >= r->until) return;  // nobody waits any more
    if (early_reads_.size() >= most_early_reads) {
      std::erase_if(early_reads_,
                    [now = options_.clock()](const read_ptr& e) { return now >= e->until; });
    }
    if (early_reads_.size() < most_early_reads) {
      early_reads_.push_back(r);
      task_->hurry();
      return;
    }
    r->answer.set_value(fail(errc::unavailable, name_,
                             "as many queries as may wait for this task already do", true));
  }

  // What is durable may have moved since the last turn.
  void answer_early_reads() {
    for (const auto& r : std::exchange(early_reads_, {})) answer(r);
  }

  result<std::optional<state_entries>> read(const read_request& r) {
    const auto not_now = [&](std::string why) {
      return fail(errc::unavailable, name_, std::move(why), true);
    };
    if (quarantined_) return not_now("the task is in quarantine: it keeps failing");
    if (!task_) return not_now("the task is starting; try again");
    return read_state(*task_, r);
  }

  task_actor_options options_;
  std::string name_ = options_.id.text();
  std::vector<read_ptr> early_reads_;  // each waits for a version that is not durable yet
  task_ptr task_;
  std::uint64_t life_ = 1;
  std::vector<std::unique_ptr<subscription>> subscriptions_;
  std::size_t steps_ = 64;
  std::shared_ptr<std::atomic<bool>> data_pending_ = std::make_shared<std::atomic<bool>>(false);
  bool drain_queued_ = false;
  std::optional<timestamp> tick_at_;
  bool replaying_ = false;      // after the last run
  write_ptr writing_;           // until it is done
  bool being_written_ = false;  // the state thread has it
  std::chrono::milliseconds snapshot_backoff_{100};
  int failures_ = 0;          // in a row, without progress
  int lasting_failures_ = 0;  // of these
  error last_error_;
  std::optional<error> unsaved_;  // why a stop goes without a snapshot
  // It failed because of a snapshot: only another snapshot is progress, commits are none.
  bool snapshot_owed_ = false;
  bool letting_go_ = false;
  bool forgotten_ = false;  // the lane has none of its epochs any more
  bool quarantined_ = false;
  bool opening_ = false;  // the state thread is at it
  bool leaving_ = false;  // letting go, and nobody failed
  rebuild_ptr rebuild_;   // until it was told that it is over
  bool to_erase_ = false;
  stop_ptr stopping_;
  bool final_closed_ = false;
  std::optional<timestamp> published_at_;
  bool unpublished_ = false;  // there is something newer than what was told
  bool published_finished_ = false;
};

}  // namespace

caf::actor spawn_task(caf::actor_system& system, task_actor_options options) {
  if (options.own_thread) return system.spawn<task_actor, caf::detached>(std::move(options));
  return system.spawn<task_actor>(std::move(options));
}

}  // namespace kappa::detail
