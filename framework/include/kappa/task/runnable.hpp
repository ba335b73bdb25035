// What a host does with a task, whatever it reads from: run it, close its epochs, tell it what is
// durable. No threads here; a host may run tasks on any.
//
// One turn of a host:
//   run(budget) … → should_close(now)? → close(now) → T1 (a commit lane) → committed(…)
//   → snapshot_ready()? → store().commit on a state thread (T2) → snapshot_done()
//
// Threading: one thread at a time, except where said.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kappa/core/error.hpp"
#include "kappa/core/time.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/state/keyed_table.hpp"
#include "kappa/state/state_store.hpp"
#include "kappa/task/epoch.hpp"

namespace kappa {

enum class task_phase { replaying, live, finished };

struct run_status {
  std::size_t steps = 0;
  /// There is more to do now: run again.
  bool more = false;
  /// Waits for a T1 or a T2 before it may go on (bounded depth, bounded dirty bytes).
  bool blocked = false;
  /// Waits because its watermark is past the time limit.
  bool paused = false;
  /// It does again what was committed before.
  bool replaying = false;
  timestamp watermark = min_time;
};

struct input_progress {
  std::string topic;
  offset next;            // to be processed
  std::uint64_t lag = 0;  // offsets behind it; of a source: bytes
};

struct task_progress {
  task_phase phase = task_phase::replaying;
  std::uint64_t records_in = 0;  // since the task was opened, replay left out
  std::uint64_t records_out = 0;
  std::uint64_t replayed = 0;
  std::uint64_t replay_total = 0;  // offsets to replay
  std::uint64_t dead_letters = 0;
  std::uint64_t late_records = 0;
  std::uint64_t lag = 0;  // offsets between position and the log's end
  /// Records behind what was declared the end of an input (--until-end): this run leaves them
  /// alone.
  std::uint64_t behind_end = 0;
  std::uint64_t epochs = 0;  // committed
  std::uint64_t snapshots = 0;
  std::uint64_t timers_fired = 0;
  std::uint64_t repeated_commands = 0;  // of an aggregate: answered by their ids
  std::uint64_t remembered_bytes = 0;   // of ids of commands, and what they came to
  milliseconds remembered_span{0};      // since the oldest of them
  std::size_t dirty_bytes = 0;
  std::size_t cache_bytes = 0;
  timestamp watermark = min_time;
  std::vector<input_progress> inputs;
  epoch_number epoch;                // the last one whose T1 is durable
  timestamp snapshot_at = min_time;  // of the last T2 since the task was opened
  state_stats state;                 // as of the last T2
};

/// As of which positions an answer is.
struct read_position {
  std::vector<std::string> inputs;
  std::vector<offset> positions;
  /// The task is still replaying: the answer may be older than what was answered before.
  bool stale = false;
};

class runnable_task {
 public:
  virtual ~runnable_task() = default;

  [[nodiscard]] virtual const task_id& id() const = 0;

  /// Does up to `budget` steps. An error means that the task cannot go on as it is: drop it and
  /// open it anew.
  [[nodiscard]] virtual result<run_status> run(std::size_t budget) = 0;

  /// No record is taken while the watermark is past `t` (what is due still fires). Scheduling only:
  /// results and replay do not depend on it.
  virtual void set_time_limit(timestamp /*t*/) {}

  [[nodiscard]] virtual bool should_close(timestamp now) const = 0;
  /// The open epoch, closed; null when there is nothing to commit. `final`: an orderly stop (the
  /// next snapshot is due at once).
  [[nodiscard]] virtual result<epoch_ptr> close(timestamp now, bool final) = 0;
  /// When `should_close` could become true without new input; nothing: never.
  [[nodiscard]] virtual std::optional<timestamp> next_deadline() const = 0;

  /// T1 of the oldest epoch in flight is durable. `bases`: of its appends, in order.
  virtual void committed(epoch_number e, const std::vector<offset>& bases) = 0;
  /// Epochs that are closed but not yet committed.
  [[nodiscard]] virtual std::size_t in_flight() const = 0;

  /// Moves event time of the inputs from outside to `t`, as a logged fact: for tests, and for
  /// quiet inputs whose windows should close. Takes effect in the next epoch.
  virtual void advance_event_time(timestamp t) = 0;

  /// The state is to be built anew from the log: committed with the next epoch, after which the
  /// task is `outdated`. Orders count from 1; one that is not above the last has no effect.
  virtual void order_rebuild(std::uint32_t /*order*/) {}
  /// What is committed wants another state than this one: drop the task, and open it anew.
  [[nodiscard]] virtual bool outdated() const { return false; }

  /// A frozen snapshot whose T1 is durable, to write with `store()->commit`. Given once.
  [[nodiscard]] virtual std::optional<state_delta> snapshot_ready() = 0;
  virtual void snapshot_done() = 0;
  /// A snapshot is frozen or being written.
  [[nodiscard]] virtual bool snapshot_pending() const = 0;
  /// Null: the task keeps no state.
  [[nodiscard]] virtual state_store* store() = 0;

  /// All inputs have ended, everything is committed.
  [[nodiscard]] virtual bool finished() const = 0;
  [[nodiscard]] virtual task_progress progress() const = 0;

  /// Calls `on_data` from a thread of the log when there may be new input.
  [[nodiscard]] virtual result<std::vector<std::unique_ptr<subscription>>> subscribe(
      std::function<void()> on_data) = 0;

  /// The keyed state (null: none) and as of where committed reads are.
  [[nodiscard]] virtual keyed_table_base* table() = 0;
  [[nodiscard]] virtual read_position read_at(read_level level) const = 0;
  /// Of an aggregate: calls `done` when a T1 of this task is durable that began after this call.
  /// No other process had the task before that, so the committed state of then has all that anybody
  /// was told before this call. Those that ask at once share one T1, of a position alone when there
  /// is nothing else to commit. An error: the task is not live, or ended before.
  virtual void confirm(std::function<void(result<void>)> done) {
    done(fail(errc::invalid_argument, id().text(),
              "only what an aggregate has can be asked for in this way"));
  }
  /// Everything of that origin (a topic from outside, or of an aggregate's events) in front of the
  /// offset is in the committed state, as far as it comes to this task. Nothing: that is not known
  /// yet. errc::invalid_argument: what the task does does not come from that topic.
  [[nodiscard]] virtual result<std::optional<offset>> taken_in(
      const topic_partition& origin) const {
    return fail(errc::invalid_argument, id().text(), "it does not read " + origin.topic);
  }
  /// Somebody waits for what is still to be committed: the open epoch closes as soon as none is in
  /// flight.
  virtual void hurry() {}
  /// Of an aggregate: the version of a value of the table. 0: it is none.
  [[nodiscard]] virtual std::uint64_t version_of(bytes_view /*stored*/) const { return 0; }
  /// Of an aggregate: whether that value is all that is left of one that was deleted. To whoever
  /// asks there is nothing under such a key.
  [[nodiscard]] virtual bool is_gone(bytes_view /*stored*/) const { return false; }
};

}  // namespace kappa
