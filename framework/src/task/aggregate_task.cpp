#include "kappa/task/aggregate_task.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "kappa/aggregate/command_id.hpp"
#include "kappa/aggregate/event_header.hpp"
#include "kappa/core/failpoint.hpp"
#include "task/aggregate_impl.hpp"

namespace kappa {
namespace detail {
namespace {

class command_subscription final : public subscription {
 public:
  command_subscription(std::shared_ptr<command_inbox> to, std::function<void()> wake)
      : to_{std::move(to)} {
    to_->on_commands(std::move(wake));
  }
  ~command_subscription() override { to_->on_commands({}); }

 private:
  std::shared_ptr<command_inbox> to_;
};

}  // namespace

aggregate_task::~aggregate_task() {
  for (auto& f : in_flight_) {
    for (auto& w : f.waiting) {
      tell(w.done, error{errc::indefinite, name_,
                         "the task was stopped before it was told that the events are durable"});
    }
  }
  const error not_done{errc::unavailable, name_, "the task was stopped before", true};
  for (auto& w : waiting_) tell(w.done, not_done);
  for (auto& f : in_flight_) {
    for (auto& done : f.confirmations) done(fail(not_done));
  }
  for (auto& done : confirmations_) done(fail(not_done));
  for (; at_ < taken_.size(); ++at_) tell(taken_[at_].done, not_done);
}

void aggregate_task::committed(epoch_number e, const std::vector<offset>& bases) {
  if (in_flight_.empty() || in_flight_.front().number != e)
    bug("an epoch was committed out of order");
  auto f = std::move(in_flight_.front());
  in_flight_.pop_front();
  const auto is_unknown = [&](std::size_t own) { return bases.at(own).value < 0; };
  if (std::any_of(f.own_appends.begin(), f.own_appends.end(), is_unknown)) {
    lost_ = true;  // another one has the task, and where its records are nobody has looked
  } else {
    if (f.events > 0) {
      durable_.base = bases.at(f.own_appends.front());
      durable_.records = f.events;
    }
    if (f.outcomes > 0) {
      durable_.outcomes = bases.at(f.own_appends.back()) + static_cast<std::int64_t>(f.outcomes);
    }
  }
  durable(e);
  if (frozen_ && frozen_->record.epoch == e) {
    set_place(*frozen_, durable_);
    frozen_->durable = !lost_;
  }
  ++counters_.epochs;
  for (auto& w : f.waiting) answer_now(w);
  for (auto& done : f.confirmations) done({});
}

// The position that such an epoch moves says what it said before. Whoever took the task over in the
// meantime has fenced this process before, and then the log refuses the T1.
void aggregate_task::confirm(std::function<void(result<void>)> done) {
  const auto not_now = [&](std::string why) {
    done(fail(errc::unavailable, name_, std::move(why), true));
  };
  if (phase_ != task_phase::live || options_.replay_only || lost_)
    return not_now("the task is replaying, or begins anew: what it has may be out of date");
  if (failpoint::broken("no-confirmation")) return done({});
  if (confirmations_.size() >= most_waiting)
    return not_now("as many as may wait for a confirmation already do");
  open_epoch(options_.clock());
  somebody_waits_ = true;
  confirmations_.push_back(std::move(done));
}

result<std::optional<offset>> aggregate_task::taken_in(const topic_partition& origin) const {
  if (origin.topic != options_.events_topic) return runnable_task::taken_in(origin);
  if (origin != where()) return std::optional{offset{INT64_MAX}};  // nothing comes of it
  if (phase_ == task_phase::replaying) return std::optional<offset>{};
  return std::optional{durable_.next()};
}

task_progress aggregate_task::progress() const {
  auto p = counters_;
  p.phase = finished() ? task_phase::finished : phase_;
  p.dirty_bytes = dirty_bytes();
  p.cache_bytes = states_->cache_bytes() + window_->memory_bytes();
  for (const auto& q : deadlines_) p.cache_bytes += q.table().cache_bytes();
  p.remembered_bytes = window_->size_bytes();
  p.remembered_span = window_->span(options_.clock());
  p.epoch = epoch_number{last_epoch_.value - in_flight_.size()};
  p.inputs.push_back({options_.events_topic, next_of_state()});
  if (phase_ == task_phase::replaying) p.lag = p.inputs.back().lag = events_tail_.left();
  return p;
}

result<std::vector<std::unique_ptr<subscription>>> aggregate_task::subscribe(
    std::function<void()> on_data) {
  std::vector<std::unique_ptr<subscription>> all;
  for (auto* tail : {&events_tail_, &outcomes_tail_, &requests_}) {
    if (auto come = tail->subscribe(on_data); !come) return fail(come.error());
  }
  all.push_back(std::make_unique<command_subscription>(options_.commands, std::move(on_data)));
  return all;
}

result<run_status> aggregate_task::decide_some(std::size_t budget) {
  run_status status;
  if (options_.replay_only) return status;
  states_->release_idle(options_.clock());
  // Half for deadlines, and of the rest half for each way of commands, where all have some; of
  // turns of one step each has every other, so that none keeps the others waiting.
  deadlines_turn_ = !deadlines_turn_;
  const auto for_deadlines = budget > 1 ? budget / 2 : std::size_t{deadlines_turn_};
  if (auto fired = fire_deadlines(for_deadlines, status); !fired) return fail(fired.error());
  budget -= status.steps;
  if (budget > 0) log_has_more_ = !log_has_more_;
  const auto before = status.steps;
  decide_taken(log_has_more_ ? budget / 2 : (budget + 1) / 2, status);
  if (keys_failed_) return fail(*keys_failed_);
  const auto left = [&] { return budget - (status.steps - before); };
  if (auto done = decide_requests(left(), status); !done) return fail(done.error());
  decide_taken(left(), status);
  if (keys_failed_) return fail(*keys_failed_);
  return status;
}

bool aggregate_task::has_room(run_status& status) const {
  if (!too_dirty() && !(open_ ? full() : too_many_in_flight())) return true;
  status.more = should_close(options_.clock());  // then there is room
  status.blocked = !status.more;
  return false;
}

// Nobody hears what is wrong with a command that was only told.
void aggregate_task::note_loss(const command_call& call, const command_outcome& outcome) {
  const auto* failed = std::get_if<error>(&outcome);
  if (failed == nullptr || !is_its_own(failed->code)) return;
  const auto now = options_.clock();
  open_epoch(now);
  dead_letter d;
  d.reason = *failed;
  d.op = options_.program->commands().at(call.command).name;
  d.position = in_the_process;
  d.key = call.key;
  d.value = call.body;
  d.time = now;
  add_dead_letter(d);
}

// What the last command has made due comes before the next one.
bool aggregate_task::may_decide(run_status& status) const {
  if (!event_deadline_is_due()) return has_room(status);
  status.more = status.more || !deadlines_wait_;
  return false;
}

void aggregate_task::decide_taken(std::size_t budget, run_status& status) {
  for (std::size_t done = 0; done < budget; ++done) {
    if (at_ == taken_.size()) {
      options_.commands->take(taken_);
      at_ = 0;
      if (taken_.empty()) return;
    }
    if (!may_decide(status)) return;
    auto call = std::move(taken_[at_++]);
    if (call.is_given_up()) continue;
    const watched_step watched{*this, in_the_process, offset{-1}};
    auto outcome = decide(call);
    if (!call.done) note_loss(call, outcome);
    when_durable(call, std::move(outcome));
    ++status.steps;
    ++counters_.records_in;
    if (keys_failed_) return;
  }
  if (at_ < taken_.size() || !options_.commands->empty()) status.more = true;
}

command_outcome aggregate_task::decide(const command_call& call) {
  const auto now = options_.clock();
  if (call.id) {
    if (auto known = answer_of_id(call, now)) return std::move(*known);
  }
  const auto events_before = events_->position();
  const auto outcomes_before = outcomes_->position();
  begin_step(last_epoch_ + 1);
  auto done = caught(name_, [&] { return decide_step(call, now); });
  if (!done) {
    rollback_step();
    events_->rewind(events_before);
    outcomes_->rewind(outcomes_before);
    return std::move(done.error());
  }
  if (*done) return **done;
  const auto events = decided_.events.size();
  if (call.id) remember(own_header_, outcome_);
  if (events > 0 || call.id) {
    open_epoch(now);
    append_sends(now);
    append_published(call, now);
    changed_since_snapshot_ = true;
    counters_.records_out += events;
  }
  return std::visit([](auto& o) { return command_outcome{std::move(o)}; }, outcome_);
}

void aggregate_task::begin_step(epoch_number e) {
  states_->begin_step(table_epoch(e));
  for (auto& q : deadlines_) q.table().begin_step(table_epoch(e));
}

void aggregate_task::durable(epoch_number e) {
  states_->durable(table_epoch(e));
  for (auto& q : deadlines_) q.table().durable(table_epoch(e));
}

void aggregate_task::commit_step() {
  states_->commit_step();
  for (auto& q : deadlines_) q.table().commit_step();
}

void aggregate_task::rollback_step() {
  states_->rollback_step();
  for (auto& q : deadlines_) q.table().rollback_step();
}

void aggregate_task::open_epoch(timestamp now) {
  if (open_) return;
  open_ = true;
  opened_at_ = now;
}

std::optional<command_outcome> aggregate_task::answer_of_id(const command_call& call,
                                                            timestamp now) {
  const auto& id = *call.id;
  const bool breaks = failpoint::broken("no-dedup");
  const auto refused = [&](errc code, std::string why, bool retriable = false) {
    return error{code, "command " + printable(id), std::move(why), retriable};
  };
  if (auto good = check_command_id(id); !good) return good.error();
  own_header_.decided_at = now;
  own_header_.id = id;
  own_header_.fingerprint =
      command_fingerprint(command_types_.at(call.command), call.key, call.body);
  auto known = window_->find(checksum128(id));
  if (!known) return known.error();
  if (*known && !breaks) {
    if ((*known)->fingerprint != own_header_.fingerprint) {
      return refused(
          errc::id_reused,
          "this id was that of a command with another body, type or key: each command has its own");
    }
    auto outcome = decode_outcome((*known)->outcome);
    if (!outcome) return outcome.error();
    ++counters_.repeated_commands;
    return std::visit([](auto& o) { return command_outcome{std::move(o)}; }, *outcome);
  }
  const auto span = std::chrono::duration_cast<std::chrono::seconds>(window_->options().span);
  if (const auto made = time_of_command_id(id)) {
    if (window_->too_old(*made, now)) {
      return refused(errc::too_old,
                     fmt::format("its id was made more than {} s ago, which is as long as commands "
                                 "are remembered: look whether it has happened",
                                 span.count()));
    }
    if (window_->too_young(*made, now)) {
      return refused(errc::invalid_argument,
                     fmt::format("its id is of a time more than {} s ahead of this machine's: look "
                                 "at the clocks",
                                 span.count()));
    }
  }
  if (window_->full()) window_->forget(now);
  if (window_->full()) {
    return refused(
        errc::unavailable,
        fmt::format("the ids of the last {} s take {} bytes, which is as many as may be remembered "
                    "(command_window.max_bytes): later, or without an id",
                    window_->span(now).count() / 1000, window_->size_bytes()),
        true);
  }
  return std::nullopt;
}

result<std::optional<version_conflict>> aggregate_task::decide_step(const command_call& call,
                                                                    timestamp now) {
  auto version = options_.program->version(*states_, call.key);
  if (!version) return fail(version.error());
  if (call.expected && !version->meets(*call.expected)) {
    commit_step();
    return std::optional{version_conflict{*call.expected, version->events}};
  }
  auto decided = options_.program->decide(*states_, call.key, call.command, call.body, now,
                                          decided_, options_.keys.get());
  if (!decided) {
    if (decided_.keys_failed) keys_failed_ = decided.error();
    return fail(decided.error());
  }
  if (fired_ != nullptr) settle_fired();
  if (!decided_.events.empty()) note_deadlines(call.key, decided_.deadlines);
  if (decided_.rejected) {
    outcome_ = std::move(*decided_.rejected);
  } else {
    command_receipt receipt;
    receipt.version = decided_.version_before + decided_.events.size();
    receipt.events = decided_.events.size();
    receipt.reply = std::move(decided_.reply);
    outcome_ = std::move(receipt);
  }
  append_events(call);
  if (call.id && decided_.events.empty()) append_outcome(call, now);
  const auto largest = std::max(events_->largest_bytes(), outcomes_->largest_bytes());
  if (largest > options_.max_record_bytes) {
    return fail(errc::too_large, printable(call.key),
                fmt::format("what follows from this command takes a record of {} bytes, and the "
                            "topic's may have {}",
                            largest, options_.max_record_bytes));
  }
  if (auto sent = prepare_sends(call); !sent) return fail(sent.error());
  if (!decided_.publishes.empty()) {
    if (auto good = prepare_published(call); !good) return fail(good.error());
  }
  commit_step();
  for (const auto& e : decided_.events) note_time(e.kind, e.time);
  return std::optional<version_conflict>{};
}

void aggregate_task::append_events(const command_call& call) {
  const auto count = static_cast<std::uint32_t>(decided_.events.size());
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto& e = decided_.events[i];
    headers_ = schema_headers_[e.kind];
    const auto mine = encode_event_header({decided_.version_before + i + 1, i, count});
    const header_view one{event_header_name, mine};
    encode_headers(headers_, {&one, 1});
    if (i == 0 && call.id) {
      own_header_.reply = std::get<command_receipt>(outcome_).reply;
      add_command_header();
    }
    events_->add(e.time, call.key, decided_.value_of(e), headers_);
  }
}

void aggregate_task::append_outcome(const command_call& call, timestamp now) {
  encoded_outcome_.clear();
  encode_outcome(outcome_, encoded_outcome_);
  headers_.clear();
  own_header_.reply.reset();
  add_command_header();
  outcomes_->add(now, call.key, encoded_outcome_, headers_);
}

void aggregate_task::add_command_header() {
  encode_command_header(own_header_, encoded_header_);
  const header_view one{command_header_name, encoded_header_};
  encode_headers(headers_, {&one, 1});
}

void aggregate_task::when_durable(command_call& call, command_outcome outcome) {
  if (!call.done) return;
  pending_answer w{std::move(call.done), std::move(outcome)};
  if (open_) {
    somebody_waits_ = true;
    waiting_.push_back(std::move(w));
  } else if (!in_flight_.empty()) {
    in_flight_.back().waiting.push_back(std::move(w));
  } else {
    answer_now(w);
  }
}

void aggregate_task::answer_now(pending_answer& w) {
  if (auto* receipt = std::get_if<command_receipt>(&w.outcome)) receipt->next = durable_.next();
  tell(w.done, std::move(w.outcome));
}

result<epoch_ptr> aggregate_task::close_epoch(timestamp now, bool final) {
  window_->forget(now);
  // Where the state is as of must be known.
  const bool snapshot =
      (snapshot_due(now) || (final && changed_since_snapshot_)) && !snapshot_pending() && !lost_;
  if (!open_) {
    if (snapshot && in_flight_.empty()) {
      if (states_->last_epoch() > table_epoch(last_epoch_)) ++spent_epochs_;  // nothing came of it
      freeze(last_epoch_);
      set_place(*frozen_, durable_);
      frozen_->durable = true;
      last_snapshot_at_ = now;
    }
    return epoch_ptr{};
  }
  failpoint::hit("epoch.close");
  const auto number = last_epoch_ + 1;
  // Where the events end is known only when they are there: their position lags by one epoch.
  has_events_ = has_events_ || !events_->empty();
  const auto metadata =
      encode_metadata({number, has_events_ ? std::optional<bytes>{"has events"} : std::nullopt});
  const auto output_bytes = open_bytes();
  auto e = builder_.close(number,
                          {{position_of(options_.events_topic), {durable_.next(), metadata}},
                           {position_of(options_.commands_topic), {requests_.next(), metadata}}});
  e->output_bytes = output_bytes;
  flying_epoch flying{number,
                      {},
                      events_->count(),
                      outcomes_->count(),
                      std::move(waiting_),
                      std::move(confirmations_)};
  const auto append = [&](topic_partition to, std::shared_ptr<record_batch>& records) {
    if (records->empty()) return;
    e->own_appends.push_back(e->appends.size());
    e->appends.push_back({std::move(to), std::exchange(records, std::make_shared<record_batch>())});
  };
  append(where(), events_);
  append(outcomes(), outcomes_);
  flying.own_appends = e->own_appends;
  for (auto& [to, records] : std::exchange(outgoing_, {}))
    e->appends.push_back({to, std::move(records)});
  outgoing_bytes_ = 0;
  waiting_.clear();
  confirmations_.clear();
  somebody_waits_ = false;
  in_flight_.push_back(std::move(flying));
  last_epoch_ = number;
  open_ = false;
  if (snapshot) {
    freeze(number);
    last_snapshot_at_ = now;
  }
  return epoch_ptr{std::move(e)};
}

void aggregate_task::freeze(epoch_number e) {
  failpoint::hit("t2.freeze");
  if (states_->last_epoch() > table_epoch(e))
    bug("a snapshot would have the state of one epoch and the position of another");
  frozen_snapshot f;
  f.record.epoch = e;
  f.record.inputs = {options_.events_topic, options_.outcomes_topic};
  f.tables = {states_->freeze(), window_->freeze()};
  for (auto& q : deadlines_) f.tables.push_back(q.table().freeze());
  f.event_time = event_time_;
  frozen_ = std::move(f);
  changed_since_snapshot_ = false;
}

}  // namespace detail

aggregate_task_options aggregate_options_of(const stage_spec& stage, partition p,
                                            const stage_layout& layout) {
  aggregate_task_options o;
  o.id = {stage.app, stage.name, stage.generation, p};
  o.events_topic = stage.inputs.front().topic;
  o.outcomes_topic = stage.outcomes_topic();
  o.commands_topic = stage.commands_topic();
  o.replies_topic = replies_topic(stage.app);
  o.reply_partitions = layout.reply_partitions;
  o.routes = layout.routes;
  o.dead_letters_topic = dead_letters_topic(stage.app);
  o.window = stage.command_window;
  o.program = stage.aggregate;
  o.state_schema = stage.state_schema;
  o.fingerprint = stage.fingerprint;
  o.key_schema = stage.state_key_schema;
  for (const auto& port : layout.ports) {
    if (port.spec.kind == port_kind::public_topic) {
      o.published.push_back(port);
    } else {
      o.max_record_bytes = std::min(o.max_record_bytes, port.max_record_bytes);
    }
  }
  return o;
}

result<void> check_rebuild(const aggregate_task_options& options) {
  const topic_partition where{options.events_topic, options.id.partition};
  auto bounds = options.log->bounds(where);
  if (!bounds) return fail(bounds.error());
  if (bounds->earliest == offset{0}) return {};
  return fail(errc::refused_start, options.id.text(),
              fmt::format("{} begins at {}: there is no more to build the state anew from",
                          where.text(), bounds->earliest));
}

result<std::unique_ptr<runnable_task>> open_aggregate_task(aggregate_task_options options) {
  auto t = std::make_unique<detail::aggregate_task>(std::move(options));
  if (auto opened = t->open(); !opened) return fail(opened.error());
  return std::unique_ptr<runnable_task>{std::move(t)};
}

}  // namespace kappa
