// The task of an aggregate, inside. aggregate_open.cpp: start and replay; aggregate_task.cpp:
// commands, epochs, snapshots; aggregate_requests.cpp: commands from the log;
// aggregate_effects.cpp: commands to other aggregates, records for others, and reminders.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kappa/aggregate/command_record.hpp"
#include "kappa/aggregate/command_window.hpp"
#include "kappa/aggregate/remembered.hpp"
#include "kappa/core/caught.hpp"
#include "kappa/core/type_key.hpp"
#include "kappa/log/envelope.hpp"
#include "kappa/state/snapshot_record.hpp"
#include "kappa/task/aggregate_task.hpp"
#include "kappa/task/epoch_builder.hpp"
#include "task/aggregate_tail.hpp"
#include "task/deadline_queue.hpp"

namespace kappa::detail {

/// For the step watcher: where a command comes from that nobody can find again.
inline const std::string in_the_process = "commands of this process";

// For one epoch: what gives no events opens none, and is not to pile up.
constexpr std::size_t most_waiting = 64 << 10;

/// Said of the command, and not of the task that was to decide it.
[[nodiscard]] bool is_its_own(errc code);

class aggregate_task final : public runnable_task {
 public:
  explicit aggregate_task(aggregate_task_options options) : options_{std::move(options)} {
    for (const auto& kind : options_.program->commands()) {
      command_kinds_[key_of_type(kind)] = command_types_.size();
      add_command_type(kind);
    }
    const auto results = codec<command_result>::schema();
    add_command_type(results);
    if (options_.program->hears_results())
      command_kinds_[key_of_type(results)] = options_.program->place_of_results();
    for (const auto& kind : options_.program->events()) {
      envelope e;
      e.schema = reference_to(kind);
      encode_envelope(schema_headers_.emplace_back(), e);
      kinds_.emplace(key_of_type(kind), kinds_.size());
    }
    for (const auto& to : options_.published) {
      envelope e;
      e.schema = reference_to(to.spec.schema);
      encode_envelope(published_headers_.emplace_back(), e);
    }
    for (const auto& kind : options_.program->former_events())
      kinds_.emplace(key_of_type(kind), kinds_.size());
    if (options_.program->has_deadlines(deadline_clock::events)) event_time_ = min_time;
  }
  ~aggregate_task() override;
  aggregate_task(const aggregate_task&) = delete;
  aggregate_task& operator=(const aggregate_task&) = delete;

  result<void> open() {
    return caught(name_, [&] { return find_place_and_open(); });
  }

  const task_id& id() const override { return options_.id; }

  result<run_status> run(std::size_t budget) override {
    return caught(name_, [&]() -> result<run_status> {
      if (lost_) {
        return fail(errc::unavailable, name_,
                    "what became of a commit is not known here any more: it starts anew", true);
      }
      return phase_ == task_phase::replaying ? replay(budget) : decide_some(budget);
    });
  }

  bool should_close(timestamp now) const override {
    if (phase_ == task_phase::replaying) return !snapshot_pending() && snapshot_due(now);
    if (!open_) return in_flight_.empty() && !snapshot_pending() && snapshot_due(now);
    if (in_flight_.size() >= options_.limits.max_epochs_in_flight) return false;
    return full() || (somebody_waits_ && in_flight_.empty()) ||
           now >= opened_at_ + options_.limits.commit_interval;
  }

  std::optional<timestamp> next_deadline() const override {
    std::optional<timestamp> at;
    if (open_) at = opened_at_ + options_.limits.commit_interval;
    if (requests_wait_until_ > min_time)
      at = at ? std::min(*at, requests_wait_until_) : requests_wait_until_;
    if (const auto due = next_due(); due > min_time && due < max_time)
      at = at ? std::min(*at, due) : due;
    if (phase_ == task_phase::live && !options_.replay_only) {
      if (const auto look = states_->next_idle_look(); look < max_time)
        at = at ? std::min(*at, look) : look;
    }
    if (changed_since_snapshot_ && !snapshot_pending()) {
      const auto due = last_snapshot_at_ + options_.limits.snapshot_interval;
      at = at ? std::min(*at, due) : due;
    }
    return at;
  }

  result<epoch_ptr> close(timestamp now, bool final) override {
    return caught(name_, [&] { return close_epoch(now, final); });
  }

  void committed(epoch_number e, const std::vector<offset>& bases) override;
  void confirm(std::function<void(result<void>)> done) override;
  std::size_t in_flight() const override { return in_flight_.size(); }
  void advance_event_time(timestamp /*t*/) override {}

  std::optional<state_delta> snapshot_ready() override {
    if (!frozen_ || snapshot_running_ || !frozen_->durable) return std::nullopt;
    state_delta d;
    d.epoch = frozen_->record.epoch;
    d.snapshot = encode_snapshot(frozen_->record);
    d.tables = std::move(frozen_->tables);
    snapshot_running_ = true;
    return d;
  }
  void snapshot_done() override {
    if (!snapshot_running_) bug("a snapshot ended that was not begun");
    states_->thaw();
    window_->thaw();
    for (auto& q : deadlines_) q.table().thaw();
    frozen_.reset();
    snapshot_running_ = false;
    ++counters_.snapshots;
    counters_.snapshot_at = options_.clock();
    if (auto stats = store_->stats()) counters_.state = *stats;
  }
  bool snapshot_pending() const override { return frozen_.has_value() || snapshot_running_; }
  state_store* store() override { return store_.get(); }
  /// One that takes commands has never finished.
  bool finished() const override { return options_.replay_only && phase_ != task_phase::replaying; }

  task_progress progress() const override;

  result<std::vector<std::unique_ptr<subscription>>> subscribe(
      std::function<void()> on_data) override;
  keyed_table_base* table() override { return states_.get(); }
  std::uint64_t version_of(bytes_view stored) const override { return version_in(stored); }
  result<std::optional<offset>> taken_in(const topic_partition& origin) const override;
  bool is_gone(bytes_view stored) const override { return kappa::detail::is_gone(stored); }
  // Of `latest` too: where what is not durable yet will be, nobody knows.
  read_position read_at(read_level /*level*/) const override {
    return {{options_.events_topic}, {next_of_state()}, phase_ == task_phase::replaying};
  }

 private:
  void add_command_type(const schema_info& type) {
    const auto key = key_of_type(type);
    command_types_.push_back(checksum(key.name, key.id));
  }

  /// Who is to be answered when an epoch is durable, and how.
  struct pending_answer {
    std::function<void(command_outcome)> done;
    command_outcome outcome;
  };
  using confirmation = std::function<void(result<void>)>;
  struct flying_epoch {
    epoch_number number;
    std::vector<std::size_t> own_appends;
    std::size_t events = 0;
    std::size_t outcomes = 0;
    std::vector<pending_answer> waiting;
    std::vector<confirmation> confirmations;
  };
  /// Behind so many records from an offset on. (Where the last of a commit's records is, nobody is
  /// told: on Kafka others' aborted ones may lie between them.)
  struct place {
    kappa::offset base;  // of events
    std::uint64_t records = 0;
    kappa::offset outcomes;  // all before this one are remembered
    [[nodiscard]] kappa::offset next() const { return base + static_cast<std::int64_t>(records); }
  };
  /// A command to another aggregate, on its way into the epoch.
  struct prepared_send {
    topic_partition to;
    bytes headers;
  };
  /// Tells the watcher while it lives.
  class watched_step {
   public:
    watched_step(const aggregate_task& t, const std::string& input, offset at)
        : watcher_{t.options_.watcher} {
      if (watcher_ != nullptr) watcher_->step_begins(t.name_, input, at, &t.no_op_);
    }
    ~watched_step() {
      if (watcher_ != nullptr) watcher_->step_ended();
    }
    watched_step(const watched_step&) = delete;
    watched_step& operator=(const watched_step&) = delete;

   private:
    step_watcher* watcher_;
  };
  struct frozen_snapshot {
    snapshot_record record;  // the position is known only after T1
    std::vector<frozen_delta> tables;
    std::optional<timestamp> event_time{};
    bool durable = false;
  };

  topic_partition where() const { return {options_.events_topic, options_.id.partition}; }
  topic_partition requests() const { return {options_.commands_topic, options_.id.partition}; }
  topic_partition outcomes() const { return {options_.outcomes_topic, options_.id.partition}; }
  position_key position_of(const std::string& topic) const {
    const auto& id = options_.id;
    return {id.app, id.stage, id.generation, id.partition, topic};
  }

  // ── start ──

  result<void> open_state();
  result<std::optional<place>> place_of_state();
  result<void> find_place_and_open();
  result<void> check_events(const std::optional<place>& state, std::optional<offset> committed,
                            const partition_bounds& bounds, offset end) const;
  result<void> find_outcomes(const std::optional<place>& state, offset end);
  void go_live();
  static void set_place(frozen_snapshot& f, const place& p) {
    auto& s = f.record;
    s.positions = {p.base, p.outcomes};
    s.clocks.clear();
    byte_writer{s.clocks}.put(p.records);
    if (f.event_time)
      byte_writer{s.clocks}.put(std::int64_t{f.event_time->time_since_epoch().count()});
  }
  std::optional<place> place_in(const snapshot_record& s) {
    byte_reader in{s.clocks};
    place p;
    p.records = in.get<std::uint64_t>();
    if (event_time_) event_time_ = as_event_time(timestamp{milliseconds{in.get<std::int64_t>()}});
    if (!in.done() || s.positions.size() != 2) return std::nullopt;
    p.base = s.positions[0];
    p.outcomes = s.positions[1];
    return p;
  }

  // ── replay ──

  epoch_number table_epoch(epoch_number e) const { return e + spent_epochs_; }
  std::size_t dirty_bytes() const {
    auto all = states_->dirty_bytes() + window_->dirty_bytes();
    for (const auto& q : deadlines_) all += q.table().dirty_bytes();
    return all;
  }
  bool too_dirty() const {
    return snapshot_pending() && dirty_bytes() >= 2 * options_.limits.max_dirty_bytes;
  }

  result<run_status> replay(std::size_t budget);
  result<void> replay_event(const record_view& r);
  result<void> replay_outcome(const record_view& r);
  void remember(const command_header& h, const lasting_outcome& outcome);

  // ── commands ──

  /// Of all that the open epoch will write.
  std::size_t open_bytes() const {
    return events_->size_bytes() + outcomes_->size_bytes() + outgoing_bytes_ +
           builder_.size_bytes();
  }
  bool full() const {
    return waiting_.size() >= most_waiting || open_bytes() >= options_.limits.max_epoch_bytes ||
           (!snapshot_pending() && dirty_bytes() >= options_.limits.max_dirty_bytes);
  }

  result<run_status> decide_some(std::size_t budget);
  void decide_taken(std::size_t budget, run_status& status);
  /// Else says how to go on.
  bool has_room(run_status& status) const;
  bool may_decide(run_status& status) const;

  bool too_many_in_flight() const {
    return in_flight_.size() >= options_.limits.max_epochs_in_flight ||
           (!in_flight_.empty() && in_flight_.back().waiting.size() >= most_waiting);
  }

  /// What fails is the command's own affair: it is told, and the next one is decided.
  command_outcome decide(const command_call& call);
  /// Of all tables that a command changes.
  void begin_step(epoch_number e);
  void commit_step();
  void rollback_step();
  void durable(epoch_number e);
  void open_epoch(timestamp now);
  /// What to say to a command for its id alone: it has been decided before, or cannot be.
  std::optional<command_outcome> answer_of_id(const command_call& call, timestamp now);
  /// Decides it as a step: what came of it is in `decided_`, `outcome_`, and what is to be
  /// appended.
  result<std::optional<version_conflict>> decide_step(const command_call& call, timestamp now);
  void append_events(const command_call& call);
  void append_outcome(const command_call& call, timestamp now);
  void add_command_header();
  /// Also a rejection rests on what was decided before, which may not be durable yet.
  void when_durable(command_call& call, command_outcome outcome);
  void note_loss(const command_call& call, const command_outcome& outcome);
  void answer_now(pending_answer& w);

  // ── commands from the log ──

  result<void> open_requests();
  result<void> decide_requests(std::size_t budget, run_status& status);
  result<bool> decide_request(const record_view& r);
  bool is_deadly(const std::string& input, offset at) const;
  static error died_of_it(bytes_view key);
  /// `type`: the command's, as far as the record says it.
  result<command_call> call_of(const record_view& r, std::string& type);
  void reply(const reply_address& to, const command_outcome& outcome, timestamp now);
  void add_dead_letter(const dead_letter& d);

  // ── effects ──

  result<void> prepare_sends(const command_call& call);
  bytes id_of_send(bytes_view key, std::uint64_t version, std::size_t which) const;
  void append_sends(timestamp now);
  result<void> prepare_published(const command_call& call);
  result<std::size_t> place_of_published(const outgoing_record& r) const;
  void append_published(const command_call& call, timestamp now);
  void append_outgoing(const topic_partition& to, bytes_view key, bytes_view value,
                       bytes_view headers, timestamp now);
  result<const command_route*> route_to(const std::string& aggregate);
  result<void> check_sender(const command_headers& h);
  void send_result(const result_address& to, bytes_view of, const command_outcome& outcome,
                   timestamp now);
  void note_deadlines(bytes_view key, const deadline_changes& changes);
  // Below max_time, at which the queue's "none" would be due.
  static timestamp as_event_time(timestamp t) { return std::min(t, max_time - milliseconds{1}); }
  void note_time(std::size_t event, timestamp t) {
    if (event_time_ && options_.program->has_time(event))
      event_time_ = std::max(*event_time_, as_event_time(t));
  }
  /// By the machine's clock; max_time: none, or it waits for room.
  timestamp next_due() const;
  bool event_deadline_is_due() const;
  timestamp time_by(deadline_clock c) const {
    return c == deadline_clock::machine ? options_.clock() : *event_time_;
  }
  void settle_fired();
  static offset place_of(const timer& due);
  result<void> fire_deadlines(std::size_t budget, run_status& status);
  result<void> fire_due(deadline_queue& of, std::size_t budget, run_status& status);
  result<void> fire(deadline_queue& of, const timer& due);

  // ── epochs ──

  bool snapshot_due(timestamp now) const {
    return changed_since_snapshot_ &&
           (now >= last_snapshot_at_ + options_.limits.snapshot_interval ||
            dirty_bytes() >= options_.limits.max_dirty_bytes);
  }

  result<epoch_ptr> close_epoch(timestamp now, bool final);
  offset next_of_state() const {
    return phase_ == task_phase::replaying ? events_tail_.next() : durable_.next();
  }
  void freeze(epoch_number e);

  aggregate_task_options options_;
  std::string name_ = options_.id.text();
  volatile op_index no_op_ = 0;  // for the watcher: an aggregate is one operator
  std::unique_ptr<state_store> store_;
  std::unique_ptr<keyed_table_base> states_;
  std::optional<command_window> window_;
  std::vector<deadline_queue> deadlines_;  // by the clocks by which it has some
  std::optional<timestamp> event_time_;    // nothing: it has no deadlines by it
  std::map<type_key, std::size_t> kinds_;  // of events, and of former ones behind them
  std::vector<bytes> schema_headers_;      // by kind, of events
  std::vector<bytes> published_headers_;   // of options_.published
  std::vector<std::uint64_t> command_types_;
  std::map<type_key, std::size_t> command_kinds_;

  task_phase phase_ = task_phase::replaying;
  aggregate_tail events_tail_;
  aggregate_tail outcomes_tail_;
  std::uint64_t to_skip_ = 0;  // records that the state has
  bytes replayed_schema_;      // header of the last event
  std::size_t replayed_kind_ = 0;
  // Tables want epochs that grow: each run of a replay counts as one, and so do commands without
  // events that a snapshot comes after.
  std::uint64_t spent_epochs_ = 0;

  std::vector<command_call> taken_;  // from the inbox
  std::size_t at_ = 0;               // the next of them
  aggregate_tail requests_;          // without an end
  timestamp requests_wait_until_ = min_time;
  bool log_has_more_ = false;  // of an uneven number of commands, in this turn
  decided decided_;
  command_header own_header_;  // of the command in hand, if it has an id
  bytes encoded_header_;
  lasting_outcome outcome_;
  bytes encoded_outcome_;
  bytes headers_;
  std::vector<prepared_send> sends_;    // one for each of decided_.sends
  std::vector<std::size_t> publishes_;  // for each of decided_.publishes: its topic's place
  const timer* fired_ = nullptr;        // what is decided is this one
  deadline_queue* fired_of_ = nullptr;  // and of these
  std::optional<error> keys_failed_;    // the key store does not answer: it stops
  bool deadlines_wait_ = false;         // for room in the epoch
  bool deadlines_turn_ = false;         // of turns of one step
  std::map<std::string, command_route> strangers_;  // aggregates of other versions of the app

  epoch_number last_epoch_;  // closed or committed
  bool has_events_ = false;  // ever: so that an emptied topic is noticed
  bool open_ = false;
  timestamp opened_at_ = min_time;
  std::shared_ptr<record_batch> events_ = std::make_shared<record_batch>();
  std::shared_ptr<record_batch> outcomes_ = std::make_shared<record_batch>();
  // Replies, commands to other aggregates, what theirs came to, and what is published.
  std::map<topic_partition, std::shared_ptr<record_batch>> outgoing_;
  std::size_t outgoing_bytes_ = 0;
  epoch_builder builder_{options_.id, {}, options_.dead_letters_topic};  // of dead letters
  std::vector<pending_answer> waiting_;                                  // for the open epoch
  std::vector<confirmation> confirmations_;                              // by the open epoch
  bool somebody_waits_ = false;
  std::deque<flying_epoch> in_flight_;
  place durable_;      // behind the last event that is durable
  bool lost_ = false;  // and where that is is not known any more

  bool changed_since_snapshot_ = false;
  timestamp last_snapshot_at_ = min_time;
  std::optional<frozen_snapshot> frozen_;
  bool snapshot_running_ = false;
  task_progress counters_;
};

}  // namespace kappa::detail
