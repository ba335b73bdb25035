// The task's inside. task_open.cpp: start and recovery; task_run.cpp: steps and replay;
// task_commit.cpp: epochs, T1, T2.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kappa/state/state_store.hpp"
#include "kappa/state/timer_table.hpp"
#include "kappa/task/epoch_builder.hpp"
#include "kappa/task/recovery.hpp"
#include "kappa/task/task.hpp"
#include "task/task_input.hpp"
#include "task/user_failure.hpp"

namespace kappa::detail {

/// The order of firing.
struct fires_before {
  bool operator()(const fired_timer& a, const fired_timer& b) const {
    if (a.timer != b.timer) return timer_before(a.timer, b.timer);
    return a.closing && !b.closing;
  }
};

class task_impl final : public runnable_task {
 public:
  explicit task_impl(task_options options);

  [[nodiscard]] result<void> open();
  [[nodiscard]] result<void> check_rebuild();

  const task_id& id() const override { return id_; }
  result<run_status> run(std::size_t budget) override;
  void set_time_limit(timestamp t) override { time_limit_ = t; }
  bool should_close(timestamp now) const override;
  result<epoch_ptr> close(timestamp now, bool final) override;
  std::optional<timestamp> next_deadline() const override;
  void committed(epoch_number e, const std::vector<offset>& bases) override;
  std::size_t in_flight() const override { return in_flight_.size(); }
  void advance_event_time(timestamp t) override;
  void order_rebuild(std::uint32_t order) override;
  bool outdated() const override { return committed_order_ > built_for_; }
  std::optional<state_delta> snapshot_ready() override;
  void snapshot_done() override;
  bool snapshot_pending() const override { return frozen_.has_value() || snapshot_running_; }
  state_store* store() override { return store_.get(); }
  bool finished() const override;
  task_progress progress() const override;
  result<std::vector<std::unique_ptr<subscription>>> subscribe(
      std::function<void()> on_data) override;
  keyed_table_base* table() override { return table_.get(); }
  read_position read_at(read_level level) const override;
  result<std::optional<offset>> taken_in(const topic_partition& origin) const override;
  void hurry() override { hurry_ = true; }

 private:
  // An epoch record and where it stands in the epochs topic.
  struct script_entry {
    epoch_record record;
    kappa::offset offset;
    bool opened = false;
  };
  struct flying_epoch {
    epoch_number number;
    std::vector<offset> positions;
    through_map through;
    std::optional<std::size_t> epochs_append;
    std::int64_t epochs_count = 0;
    std::uint32_t order = 0;
  };
  struct frozen_snapshot {
    snapshot_record record;  // epochs_next is known only after T1
    std::vector<frozen_delta> tables;
    bool durable = false;
  };

  // start
  result<void> open_store(bool fresh);
  void close_store();
  void look_at_store();
  result<void> read_epochs_topic(std::optional<birth_record>& birth);
  [[nodiscard]] bool rests() const { return options_.replay_only || options_.standby; }
  result<std::optional<snapshot_record>> open_state();
  result<recovery_facts> find_facts(const std::optional<snapshot_record>& snapshot);
  result<void> find_committed(recovery_facts& facts);
  result<std::optional<snapshot_record>> open_brought();
  /// True: the state is another one now.
  result<bool> bring_savepoint(const recovery_facts& facts);
  result<void> open_inputs(const recovery_facts& facts);
  result<epoch_record> epoch_record_of(const record_view& r) const;
  result<void> read_more_script();
  result<void> go_live();
  result<void> check_adopted(const recovery_facts& facts,
                             const std::optional<snapshot_record>& snapshot) const;

  // steps
  result<run_status> run_steps(std::size_t budget);
  bool records_only() const;
  /// A snapshot is on its way and the next one is overdue: wait.
  bool too_dirty() const {
    return snapshot_pending() && dirty_bytes() >= 2 * options_.limits.max_dirty_bytes;
  }
  result<std::size_t> run_records(std::size_t budget);
  /// What the state comes from, as it is now.
  [[nodiscard]] result<void> identify_log();
  result<bool> replay_step();
  /// What was looked for last is still on its way from the log.
  [[nodiscard]] bool inputs_wait() const;
  result<bool> live_step();
  result<bool> pick_single();
  result<bool> pick_several();
  bool replay_bounds_reached() const;
  result<void> enter_script();
  void declare(script_entry& s);
  void leave_script();
  result<bool> leave_epoch();
  result<bool> replayed_up_to(const fired_timer& due);
  /// After so many more steps; true now and then, so that a replay goes on in between.
  bool replay_too_dirty(std::size_t steps);
  bool replay_snapshot_allowed() const;
  result<task_input*> earliest_head();
  result<void> apply(task_input& in, const record_view& record);
  result<void> apply_marker(task_input& in, const marker& m);
  result<void> run_step(task_input& in, const record_view& record);
  result<std::optional<fired_timer>> due_timer();
  result<void> fire(const fired_timer& due);
  result<void> give_up(const fired_timer& due);
  void begin_step(const topic_partition* where, kappa::offset at, const record_view* record);
  bool apply_record(task_input& in, record_receiver& root, const record_view& record,
                    result<void>& failed);
  result<void> record_failed(task_input& in, const record_view& record, const step_error& failed);
  void commit_step();
  void rollback_step();
  void update_watermark();
  bool all_ended() const;
  std::size_t index_of(const task_input& in) const;
  bool is_suspect(const task_input& in, offset at, int deaths) const;
  void to_dead_letters(const error& reason, std::string_view op, const task_input& in,
                       const record_view& record);

  // epochs
  result<epoch_ptr> close_epoch(timestamp now, bool final);
  result<bool> open_epoch(bool only_with_work);
  void find_flags(timestamp now);
  bool flags_pending() const {
    return !flag_idle_.empty() || !flag_ended_.empty() || flag_advance_ || flag_at_once_;
  }
  bool epoch_full() const;
  bool needs_epoch_record() const;
  result<marker> current_marker();
  through_map through_now() const;
  void freeze(epoch_number e);
  snapshot_record snapshot_now(epoch_number e) const;
  bool snapshot_due(timestamp now) const;
  std::size_t dirty_bytes() const;
  epoch_number table_epoch(epoch_number e) const { return e + replay_rounds_; }

  task_options options_;
  const stage_spec* stage_;
  task_id id_;
  std::string name_ = id_.text();  // for the step watcher
  std::string log_identity_;
  bool several_inputs_;
  std::unique_ptr<state_store> store_;
  std::unique_ptr<keyed_table_base> table_;
  std::unique_ptr<timer_table> closing_;
  std::unique_ptr<timer_table> timers_;
  std::vector<state_table*> tables_;
  std::vector<state_table*> step_tables_;  // those of them that a step can change
  stage_program program_;
  epoch_builder builder_;
  step_context ctx_;
  std::vector<std::unique_ptr<task_input>> inputs_;

  // event time
  timestamp real_watermark_ = min_time;
  timestamp time_limit_ = max_time;
  bool inputs_ended_ = false;  // as of the last update_watermark
  bool paused_ = false;        // past it
  bool has_timers_ = true;     // an operator of the stage uses them
  bool check_timers_ = true;
  std::optional<marker> last_marker_;

  // replay
  task_phase phase_ = task_phase::replaying;
  std::vector<offset> live_from_;
  // The epoch records ahead: the first ones of those before script_end_, in memory.
  std::deque<script_entry> script_;
  offset script_next_;
  offset script_end_;
  std::optional<epoch_number> last_in_script_;
  std::optional<epoch_number>
      script_up_to_;  // of a standby: what came after it is not its business
  std::set<std::pair<std::size_t, offset>> failed_records_;
  std::set<fired_timer, fires_before> failed_timers_;
  std::optional<fired_timer> replay_up_to_;

  // epochs
  epoch_number last_epoch_;  // closed or committed
  bool open_ = false;
  timestamp opened_at_ = min_time;
  timestamp last_snapshot_at_ = min_time;
  bool exhausted_ = false;  // the bounds of an epoch with several inputs are reached
  bool more_than_bound_ = false;
  bool began_between_timers_ = false;
  std::uint64_t steps_ = 0;
  bool full_ = false;                      // the open epoch takes no more
  bool ended_quiet_ = false;               // all inputs have ended and no timer is due
  std::optional<fired_timer> last_fired_;  // in the open epoch
  std::vector<std::uint32_t> flag_idle_;   // decided, for the next epoch's opening
  std::vector<std::uint32_t> flag_ended_;
  std::optional<timestamp> flag_advance_;
  bool flag_at_once_ = false;  // there is something to be told: of a rebuild, of the birth
  epoch_record record_;        // of the open epoch
  step_origin origin_;         // of the step, or of the last one
  std::deque<flying_epoch> in_flight_;
  std::optional<birth_record> birth_to_write_;
  std::vector<offset> durable_positions_;
  through_map durable_through_;
  std::set<std::string> origins_ = options_.topology->origins_of(*stage_);
  bool hurry_ = false;  // for the open epoch
  kappa::offset epochs_next_;
  bool changed_since_snapshot_ = false;

  // orders to build the state anew
  std::uint32_t order_ = 0;            // the last one
  std::uint32_t committed_order_ = 0;  // of those in the log
  std::uint32_t built_for_ = 0;        // this state

  std::optional<frozen_snapshot> frozen_;
  bool snapshot_running_ = false;
  // Tables want epochs that grow: what is replayed in several runs, all of it durable, counts as
  // one each.
  std::uint64_t replay_rounds_ = 0;
  std::size_t steps_since_look_ = 0;  // at the dirty bytes, in replay
  std::uint64_t late_base_ = 0;
  std::uint64_t late_before_step_ = 0;

  task_progress counters_;
};

}  // namespace kappa::detail
