#include <algorithm>

#include <fmt/format.h>

#include "kappa/core/failpoint.hpp"
#include "task/task_impl.hpp"
#include "task/user_failure.hpp"

namespace kappa::detail {

// ── opening ───────────────────────────────────────────────────────────────────────────────────

// Opens the next epoch. With several inputs its bounds are chosen here, before anything is
// processed, so that replay can merge the same records again. False: nothing to do (only when
// `only_with_work`).
result<bool> task_impl::open_epoch(bool only_with_work) {
  if (open_) return true;
  const auto now = options_.clock();
  if (several_inputs_) {
    bool work = false;
    bool capped = false;
    for (auto& in : inputs_) {
      auto at_hand = in->reader().at_hand();
      if (!at_hand) return fail(at_hand.error());
      auto end = *at_hand;
      if (in->end_bound) end = std::min(end, *in->end_bound);
      const auto cap = in->next() + static_cast<std::int64_t>(options_.limits.max_epoch_records);
      in->bound = std::max(in->next(), std::min(end, cap));
      if (end > cap) capped = true;
      if (in->bound > in->next()) work = true;
      in->drained = in->next() == end;
    }
    find_flags(now);
    if (only_with_work && !work && !flags_pending()) return false;
    more_than_bound_ = capped;
    exhausted_ = false;
  }
  open_ = true;
  full_ = false;
  opened_at_ = now;
  builder_.set_clock(now);
  last_fired_.reset();
  record_ = {};
  record_.number = last_epoch_ + 1;
  record_.clock = now;
  record_.code_version = options_.code_version;
  for (auto& in : inputs_) in->from = in->next();
  // What was decided holds from the opening on: a logged fact, so that replay sees it at the same
  // place.
  for (const auto i : flag_idle_) inputs_[i]->clock().set_idle();
  for (const auto i : flag_ended_) {
    inputs_[i]->skip_to(*inputs_[i]->end_bound);  // over a gap: in an epoch, as any move is
    inputs_[i]->clock().set_end();
  }
  if (flag_advance_) {
    for (auto& in : inputs_) in->clock().advance(*flag_advance_);
  }
  record_.idle = std::move(flag_idle_);
  record_.ended = std::move(flag_ended_);
  record_.advance = flag_advance_;
  flag_idle_.clear();
  flag_ended_.clear();
  flag_advance_.reset();
  flag_at_once_ = false;
  update_watermark();
  changed_since_snapshot_ = true;
  return true;
}

// Decides which inputs are idle (quiet for longer than their limit) or ended (--until-end).
void task_impl::find_flags(timestamp now) {
  flag_idle_.clear();
  flag_ended_.clear();
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    auto& in = *inputs_[i];
    if (in.had_record) {
      in.had_record = false;
      in.last_record_at = now;
    }
    if (in.spec().internal || in.clock().ended()) continue;
    const bool all_taken = in.next() >= in.end_bound.value_or(offset{INT64_MAX}) ||
                           (!several_inputs_ && in.drained);  // what is left is a gap
    if (in.end_bound && all_taken) {
      flag_ended_.push_back(static_cast<std::uint32_t>(i));
    } else if (in.spec().idle_after && in.drained && !in.clock().idle() &&
               now - in.last_record_at >= *in.spec().idle_after) {
      flag_idle_.push_back(static_cast<std::uint32_t>(i));
    }
  }
}

// ── closing ───────────────────────────────────────────────────────────────────────────────────

bool task_impl::epoch_full() const {
  return full_ || builder_.size_bytes() >= options_.limits.max_epoch_bytes ||
         (!snapshot_pending() && dirty_bytes() >= options_.limits.max_dirty_bytes);
}

bool task_impl::should_close(timestamp now) const {
  if (phase_ == task_phase::replaying) {
    return !snapshot_pending() && replay_snapshot_allowed() && snapshot_due(now);
  }
  if (!open_) return in_flight_.empty() && !snapshot_pending() && snapshot_due(now);
  if (in_flight_.size() >= options_.limits.max_epochs_in_flight) return false;
  return epoch_full() || ended_quiet_ || now >= opened_at_ + options_.limits.commit_interval ||
         flags_pending() || (exhausted_ && more_than_bound_) || (hurry_ && in_flight_.empty());
}

std::optional<timestamp> task_impl::next_deadline() const {
  std::optional<timestamp> at;
  const auto sooner = [&](timestamp t) { at = at ? std::min(*at, t) : t; };
  if (open_) sooner(opened_at_ + options_.limits.commit_interval);
  if (changed_since_snapshot_ && !snapshot_pending())
    sooner(last_snapshot_at_ + options_.limits.snapshot_interval);
  if (phase_ == task_phase::live && !paused_) {
    for (const auto& in : inputs_) {
      if (in->spec().idle_after && !in->clock().idle() && !in->clock().ended()) {
        sooner(in->last_record_at + *in->spec().idle_after);
      }
    }
  }
  return at;
}

bool task_impl::needs_epoch_record() const {
  return several_inputs_ || !record_.idle.empty() || !record_.ended.empty() || record_.advance ||
         !record_.failed_records.empty() || !record_.failed_timers.empty() ||
         began_between_timers_ || record_.fired_up_to.has_value();
}

// What the task may promise to those downstream: no later output will be older than this.
result<marker> task_impl::current_marker() {
  marker m;
  m.stage = id_.stage;
  m.generation = id_.generation;
  m.task = id_.partition;
  auto due = due_timer();
  if (!due) return fail(due.error());
  auto watermark = real_watermark_;
  if (*due) {  // not all that this watermark lets out is out
    const auto before = saturating_add((*due)->timer.time, milliseconds{-1});
    watermark = std::min(watermark, before);
  }
  m.watermark = saturating_add(watermark, -stage_->output_delay);
  if (last_marker_) m.watermark = std::max(m.watermark, last_marker_->watermark);
  if (all_ended()) {
    m.kind = *due ? marker_kind::watermark : marker_kind::end;
  } else if (!*due && std::all_of(inputs_.begin(), inputs_.end(), [](const auto& in) {
               return in->clock().idle() || in->clock().ended();
             })) {
    m.kind = marker_kind::idle;
  }
  m.through = through_now();
  return m;
}

through_map task_impl::through_now() const {
  through_map all;
  const auto add = [&](const topic_partition& origin, offset next) {
    const auto [at, added] = all.try_emplace(origin, next);
    if (!added) at->second = std::min(at->second, next);
  };
  std::vector<through_map> told;
  for (const auto& in : inputs_) {
    auto of_input = in->clock().through();
    if (!in->spec().internal) of_input = {{in->where(), in->next()}};
    for (const auto& [origin, next] : of_input) add(origin, next);
    told.push_back(std::move(of_input));
  }
  // What one input tells is worth nothing while another may bring something of it, and has not
  // told.
  std::erase_if(all, [&](const auto& one) {
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      if (inputs_[i]->clock().may_carry(one.first.topic) && !told[i].contains(one.first))
        return true;
    }
    return false;
  });
  return all;
}

result<epoch_ptr> task_impl::close(timestamp now, bool final) {
  return caught(name_, [&] { return close_epoch(now, final); });
}

result<epoch_ptr> task_impl::close_epoch(timestamp now, bool final) {
  const bool snapshot =
      (snapshot_due(now) || (final && changed_since_snapshot_)) && !snapshot_pending();
  if (!open_ || phase_ == task_phase::replaying) {
    if (snapshot && in_flight_.empty() &&
        (phase_ == task_phase::live || replay_snapshot_allowed())) {
      freeze(last_epoch_);
      frozen_->record.epochs_next = epochs_next_;
      frozen_->durable = true;
      last_snapshot_at_ = now;
    }
    return epoch_ptr{};
  }
  failpoint::hit("epoch.close");
  auto due = due_timer();
  if (!due) return fail(due.error());
  auto m = current_marker();
  if (!m) return fail(m.error());
  if (builder_.has_internal_ports() && !(last_marker_ && *last_marker_ == *m)) builder_.add(*m);
  last_marker_ = std::move(*m);

  if (*due) {  // closed between two timer steps; nothing fired yet counts as "before all"
    record_.fired_up_to = last_fired_.value_or(fired_timer{true, timer{min_time, 0, ""}});
  }
  if (birth_to_write_) {
    builder_.add_to_epochs_topic(stage_->epochs_topic(), encode_birth(*birth_to_write_), now);
  }
  const bool with_record = needs_epoch_record();
  if (with_record) {
    for (const auto& in : inputs_) record_.inputs.push_back({in->from, in->next()});
    builder_.add_to_epochs_topic(stage_->epochs_topic(), encode_epoch_record(record_), now);
  }

  const epoch_number number = last_epoch_ + 1;
  flying_epoch flying;
  flying.number = number;
  flying.through = last_marker_->through;
  std::vector<log_transaction::move> moves;
  const auto metadata =
      encode_metadata({number, std::nullopt, all_ended() && !*due, order_, built_for_});
  flying.order = order_;
  for (const auto& in : inputs_) {
    flying.positions.push_back(in->next());
    moves.push_back({{id_.app, id_.stage, id_.generation, id_.partition, in->spec().topic},
                     {in->next(), metadata}});
  }
  counters_.records_out += builder_.records();
  auto e = builder_.close(number, std::move(moves));
  if (!e->own_appends.empty()) flying.epochs_append = e->own_appends.front();
  flying.epochs_count = (birth_to_write_ ? 1 : 0) + (with_record ? 1 : 0);
  in_flight_.push_back(std::move(flying));
  last_epoch_ = number;
  birth_to_write_.reset();
  began_between_timers_ = due->has_value();
  open_ = full_ = exhausted_ = hurry_ = false;
  if (snapshot) {
    freeze(number);
    last_snapshot_at_ = now;
  }
  return epoch_ptr{std::move(e)};
}

void task_impl::committed(epoch_number e, const std::vector<offset>& bases) {
  if (in_flight_.empty() || in_flight_.front().number != e)
    bug("an epoch was committed out of order");
  auto& f = in_flight_.front();
  if (f.epochs_append) epochs_next_ = bases.at(*f.epochs_append) + f.epochs_count;
  durable_positions_ = std::move(f.positions);
  durable_through_ = std::move(f.through);
  committed_order_ = f.order;
  in_flight_.pop_front();
  for (auto* t : tables_) t->durable(table_epoch(e));
  if (frozen_ && frozen_->record.epoch == e) {
    frozen_->record.epochs_next = epochs_next_;
    frozen_->durable = true;
  }
  ++counters_.epochs;
}

void task_impl::order_rebuild(std::uint32_t order) {
  // In a replay it could be committed only at its end, when the log may not have any more what was
  // there when somebody looked: whoever asks asks again.
  if (order <= order_ || phase_ == task_phase::replaying) return;
  order_ = order;
  flag_at_once_ = true;
}

// ── snapshots ─────────────────────────────────────────────────────────────────────────────────

std::size_t task_impl::dirty_bytes() const {
  std::size_t n = 0;
  for (const auto* t : tables_) n += t->dirty_bytes();
  return n;
}

bool task_impl::snapshot_due(timestamp now) const {
  return changed_since_snapshot_ && (now >= last_snapshot_at_ + options_.limits.snapshot_interval ||
                                     dirty_bytes() >= options_.limits.max_dirty_bytes);
}

snapshot_record task_impl::snapshot_now(epoch_number e) const {
  snapshot_record s;
  s.epoch = e;
  byte_writer w{s.clocks};
  for (const auto& in : inputs_) {
    s.inputs.push_back(in->spec().topic);
    s.positions.push_back(in->next());
    in->clock().encode(w);
    w.put(std::int64_t{in->order.time_since_epoch().count()});
  }
  s.real_watermark = real_watermark_;
  s.late_records = late_base_ + ctx_.late_records;
  s.replaying = phase_ == task_phase::replaying;
  s.rebuild = built_for_;
  return s;
}

void task_impl::freeze(epoch_number e) {
  failpoint::hit("t2.freeze");
  frozen_snapshot f;
  f.record = snapshot_now(e);
  if (failpoint::broken("t2-mixed")) f.record.positions = durable_positions_;
  for (auto* t : tables_) {
    if (t->last_epoch() > table_epoch(e))
      bug("a snapshot would have the state of one epoch and the positions of another");
    f.tables.push_back(t->freeze());
  }
  frozen_ = std::move(f);
  changed_since_snapshot_ = false;
}

std::optional<state_delta> task_impl::snapshot_ready() {
  if (!frozen_ || snapshot_running_) return std::nullopt;
  if (!frozen_->durable && !failpoint::broken("t2-before-t1")) return std::nullopt;
  state_delta d;
  d.epoch = frozen_->record.epoch;
  d.snapshot = encode_snapshot(frozen_->record);
  d.tables = std::move(frozen_->tables);
  snapshot_running_ = true;
  return d;
}

void task_impl::snapshot_done() {
  if (!snapshot_running_) bug("a snapshot ended that was not begun");
  for (auto* t : tables_) t->thaw();
  frozen_.reset();
  snapshot_running_ = false;
  ++counters_.snapshots;
  counters_.snapshot_at = options_.clock();
  look_at_store();
}

// What is told of the state changes with a T2 only; to look opens a view of it.
void task_impl::look_at_store() {
  if (auto stats = store_->stats()) counters_.state = *stats;
}

// ── for others ────────────────────────────────────────────────────────────────────────────────

bool task_impl::finished() const {
  if (rests()) return phase_ != task_phase::replaying;
  return phase_ != task_phase::replaying && all_ended() && !check_timers_ && !open_ &&
         !flag_at_once_ && in_flight_.empty();
}

task_progress task_impl::progress() const {
  auto p = counters_;
  p.phase = finished() ? task_phase::finished : phase_;
  p.late_records = late_base_ + ctx_.late_records;
  p.dirty_bytes = dirty_bytes();
  for (const auto* t : tables_) p.cache_bytes += t->cache_bytes();
  p.watermark = real_watermark_;
  p.epoch = epoch_number{last_epoch_.value - in_flight_.size()};
  for (const auto& in : inputs_) {
    input_progress i{in->spec().topic, in->next()};
    if (auto end = in->reader().end_seen())
      i.lag = static_cast<std::uint64_t>(std::max<std::int64_t>(0, *end - in->next()));
    p.lag += i.lag;
    p.inputs.push_back(std::move(i));
  }
  return p;
}

read_position task_impl::read_at(read_level level) const {
  read_position r;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    r.inputs.push_back(inputs_[i]->spec().topic);
    r.positions.push_back(level == read_level::committed && phase_ != task_phase::replaying
                              ? durable_positions_[i]
                              : inputs_[i]->next());
  }
  r.stale = phase_ == task_phase::replaying;
  return r;
}

result<std::optional<offset>> task_impl::taken_in(const topic_partition& origin) const {
  if (!origins_.contains(origin.topic)) {
    return fail(errc::invalid_argument, id_.stage,
                fmt::format("what it has does not come from \"{}\", but from: {}", origin.topic,
                            fmt::join(origins_, ", ")));
  }
  if (phase_ == task_phase::replaying) return std::optional<offset>{};
  if (const auto at = durable_through_.find(origin); at != durable_through_.end())
    return std::optional{at->second};
  // Of what comes through other stages its beginning is told of, too; of other partitions of a
  // topic that it reads itself nothing comes.
  const bool through_others = std::any_of(inputs_.begin(), inputs_.end(), [&](const auto& in) {
    return in->clock().may_carry(origin.topic);
  });
  return through_others ? std::optional<offset>{} : std::optional{task_input::no_limit};
}

}  // namespace kappa::detail
