#include <algorithm>
#include <array>
#include <span>
#include <stdexcept>

#include <fmt/format.h>

#include "kappa/core/failpoint.hpp"
#include "task/task_impl.hpp"
#include "task/user_failure.hpp"

namespace kappa::detail {
namespace {

// Under this name, with a hash of the timer as offset, the step watcher hears of timers: the record
// that was before a timer is not to blame for it.
const std::string timers_input = "timers";

offset place_of(const fired_timer& t) {
  return offset{static_cast<std::int64_t>(checksum(encode_timer(t.timer)))};
}

/// Tells a keyed table the keys of the records that come next.
class key_scout {
 public:
  /// `table` may be null. At most `budget` records are taken.
  key_scout(keyed_table_base* table, const task_input& in, std::size_t budget)
      : table_{table}, ahead_{in.ahead()}, left_{budget} {
    for (std::size_t i = 0; i < keyed_table_base::expected_ahead; ++i) tell();
  }
  /// Before the record number `done`.
  void at(std::size_t done) {
    if (done % keyed_table_base::expected_keys == 0) tell();
  }

 private:
  void tell() {
    if (table_ == nullptr) return;
    std::array<bytes_view, keyed_table_base::expected_keys> keys;
    std::size_t n = 0;
    for (auto more = std::min(keys.size(), left_); more > 0; --more) {
      const auto* const r = ahead_.peek();
      if (r == nullptr) break;
      if (r->key) keys[n++] = *r->key;
      ahead_.pop();
      --left_;
    }
    if (!table_->expect(std::span{keys}.first(n))) table_ = nullptr;
  }

  keyed_table_base* table_;
  read_batch::cursor ahead_;
  std::size_t left_;
};

}  // namespace

result<run_status> task_impl::run(std::size_t budget) {
  return caught(name_, [&] { return run_steps(budget); });
}

result<run_status> task_impl::run_steps(std::size_t budget) {
  run_status status;
  paused_ = false;
  while (status.steps < budget) {
    const bool replaying = phase_ == task_phase::replaying;
    std::size_t steps = 0;
    if (records_only()) {
      auto ran = run_records(budget - status.steps);
      if (!ran) return fail(ran.error());
      steps = *ran;
    }
    if (replaying && steps < budget - status.steps) {
      auto done = replay_step();
      if (!done) return fail(done.error());
      if (inputs_wait()) {
        status.steps += steps;
        break;
      }
      if (*done) {
        if (auto live = go_live(); !live) return fail(live.error());
      } else {
        failpoint::hit("recover.replay");
      }
      ++steps;
    }
    status.steps += steps;
    if (replaying && replay_too_dirty(steps)) {
      status.blocked = snapshot_pending();
      status.more = !status.blocked;
      break;
    }
    if (status.steps == budget) {
      status.more = true;
      break;
    }
    if (replaying) continue;
    if (rests()) break;
    const bool dirty = too_dirty();
    if (full_ || dirty || flags_pending()) {
      status.blocked =
          dirty || (open_ && in_flight_.size() >= options_.limits.max_epochs_in_flight);
      if (open_ || dirty) {
        status.more = !status.blocked;
        break;
      }
    }
    auto did = live_step();
    if (!did) return fail(did.error());
    if (!*did) {
      status.more = open_ && flags_pending();
      break;
    }
    ++status.steps;
    if (status.steps == budget) status.more = true;
  }
  status.paused = paused_;
  status.watermark = real_watermark_;
  status.replaying = phase_ == task_phase::replaying;
  if (status.replaying) {
    for (auto* t : tables_) t->durable(table_epoch(last_epoch_));
    ++replay_rounds_;
    if (!status.blocked) status.more = !inputs_wait();
  }
  return status;
}

// ── live ──────────────────────────────────────────────────────────────────────────────────────

result<bool> task_impl::live_step() {
  for (auto& i : inputs_) i->look_anew();
  if (flag_at_once_ && !open_) return open_epoch(false);  // also when all inputs have ended
  if (check_timers_) {
    auto due = due_timer();
    if (!due) return fail(due.error());
    if (*due) {
      if (auto opened = open_epoch(false); !opened) return fail(opened.error());
      if (auto fired = fire(**due); !fired) return fail(fired.error());
      return true;
    }
  }
  ended_quiet_ = inputs_ended_;
  if (ended_quiet_) return false;
  paused_ = real_watermark_ > time_limit_;
  if (paused_) return false;
  return several_inputs_ ? pick_several() : pick_single();
}

result<bool> task_impl::pick_single() {
  auto& in = *inputs_.front();
  const auto limit = in.end_bound.value_or(task_input::no_limit);
  const auto* record = in.ready(limit);
  if (record == nullptr) {
    auto head = in.head(limit);
    if (!head) return fail(head.error());
    record = *head;
  }
  if (record == nullptr && in.waits()) return false;
  if (record == nullptr) {
    in.drained = true;
    if (in.end_bound && open_) in.skip_to(*in.end_bound);
    find_flags(options_.clock());
    if (open_ || !flags_pending()) return false;
    return open_epoch(false);
  }
  in.drained = false;
  if (!open_) {
    flag_idle_.clear();  // it has a record after all
    if (auto opened = open_epoch(false); !opened) return fail(opened.error());
    if (check_timers_) return true;  // event time was moved: what is due comes before the record
  }
  if (auto done = apply(in, *record); !done) return fail(done.error());
  return true;
}

result<bool> task_impl::pick_several() {
  if (!open_) {
    auto opened = open_epoch(true);
    if (!opened || !*opened) return opened;
    if (check_timers_) return true;  // as in pick_single
  }
  auto in = earliest_head();
  if (!in) return fail(in.error());
  if (*in == nullptr && inputs_wait()) return false;
  if (*in == nullptr) {
    for (auto& i : inputs_) i->skip_to(i->bound);
    exhausted_ = true;
    find_flags(options_.clock());
    return false;
  }
  auto head = (*in)->head((*in)->bound);
  if (!head) return fail(head.error());
  if (auto done = apply(**in, **head); !done) return fail(done.error());
  return true;
}

// Of the inputs' next records the one with the smallest (largest time so far in that input, input)
// is taken. A marker counts as its predecessor. Null: no input has a record below its bound, or one
// waits for it, and may have the smallest.
result<task_input*> task_impl::earliest_head() {
  task_input* best = nullptr;
  timestamp best_time = max_time;
  for (auto& in : inputs_) {
    auto head = in->head(in->bound);
    if (!head) return fail(head.error());
    if (in->waits()) return nullptr;
    if (*head == nullptr) continue;
    const bool is_marker = in->spec().internal && (*head)->headers.find(marker_header).has_value();
    const auto time = is_marker ? in->order : std::max(in->order, (*head)->time);
    if (best == nullptr || time < best_time) {
      best = in.get();
      best_time = time;
    }
  }
  return best;
}

bool task_impl::inputs_wait() const {
  return std::any_of(inputs_.begin(), inputs_.end(), [](const auto& in) { return in->waits(); });
}

// ── steps ─────────────────────────────────────────────────────────────────────────────────────

result<void> task_impl::apply(task_input& in, const record_view& record) {
  const auto at = record.offset;
  in.had_record = true;
  changed_since_snapshot_ = true;
  if (in.spec().internal && !record.headers.empty()) {
    if (const auto raw = record.headers.find(marker_header)) {
      const auto m = decode_marker(*raw);
      if (!m)
        return fail(errc::corrupt, fmt::format("{}@{}", in.where().text(), at), "malformed marker");
      in.pop(at);
      return apply_marker(in, *m);
    }
  }
  if (!ctx_.muted) ++counters_.records_in;
  in.order = std::max(in.order, record.time);
  const auto index = index_of(in);
  if (phase_ == task_phase::replaying && failed_records_.contains({index, at})) {
    in.pop(at);
    return {};
  }
  if (auto ran = run_step(in, record); !ran) return ran;
  in.pop(at);
  const bool bounds_checked = (++steps_ & 1023) == 0;
  if (is_suspect(in, at, 1) ||  // record by record up to the suspect
      builder_.size_bytes() >= options_.limits.max_epoch_bytes ||
      (bounds_checked && epoch_full())) {
    full_ = phase_ == task_phase::live;
  }
  return {};
}

result<void> task_impl::apply_marker(task_input& in, const marker& m) {
  if (m.kind != marker_kind::watermark) {  // the watermark that it carries counts first
    auto last = m;
    last.kind = marker_kind::watermark;
    if (auto seen = in.clock().observe(last); !seen) return seen;
    update_watermark();
  }
  if (auto seen = in.clock().observe(m); !seen) return seen;
  update_watermark();
  return {};
}

inline void task_impl::begin_step(const topic_partition* where, offset at,
                                  const record_view* record) {
  origin_.where = where;
  origin_.offset = at;
  origin_.record = record;
  const auto epoch = phase_ == task_phase::replaying ? last_epoch_ : last_epoch_ + 1;
  for (auto* t : step_tables_) t->begin_step(table_epoch(epoch));
  late_before_step_ = ctx_.late_records;
  builder_.begin_step(&origin_);
}

inline void task_impl::commit_step() {
  for (auto* t : step_tables_) t->commit_step();
  builder_.commit_step();
  origin_.record = nullptr;
}

void task_impl::rollback_step() {
  for (auto* t : step_tables_) t->rollback_step();
  ctx_.late_records = late_before_step_;
  builder_.rollback_step();
  origin_.record = nullptr;
}

void task_impl::to_dead_letters(const error& reason, std::string_view op, const task_input& in,
                                const record_view& record) {
  const auto d = dead_letter_of(reason, std::string{op}, in.where(), record);
  builder_.add(d);
  ++counters_.dead_letters;
  options_.log_to(log_level::warning, "dead letter",
                  {{"task", id_.text()},
                   {"operator", d.op},
                   {"position", d.position},
                   {"error", reason.text()}});
}

result<void> task_impl::run_step(task_input& in, const record_view& record) {
  const bool replaying = phase_ == task_phase::replaying;
  if (!replaying && is_suspect(in, record.offset, deaths_until_dead_letter)) {
    to_dead_letters({errc::user_code, "", "the process died at this record time and again"}, "", in,
                    record);
    record_.failed_records.push_back({static_cast<std::uint32_t>(index_of(in)), record.offset, ""});
    return {};
  }
  result<void> failed;
  (void)apply_record(in, *program_.roots[index_of(in)], record, failed);
  return failed;
}

// False: the task cannot go on, `failed` says why. Not a result, because making one, and be it of
// nothing, costs as much as a small operator.
inline bool task_impl::apply_record(task_input& in, record_receiver& root,
                                    const record_view& record, result<void>& failed) {
  ctx_.clock.largest = in.clock().largest();
  ctx_.clock.watermark = real_watermark_;
  ctx_.record_time = record.time;
  ctx_.key.reset();
  if (options_.watcher != nullptr)
    options_.watcher->step_begins(name_, in.spec().topic, record.offset, &ctx_.op);
  begin_step(&in.where(), record.offset, &record);
  try {
    root.receive(record, ctx_);
    commit_step();  // measures values with the user's codec
  } catch (...) {
    failed = record_failed(in, record, current_step_error());
    return failed.has_value();
  }
  if (options_.watcher != nullptr) options_.watcher->step_ended();
  if (in.clock().observe(ctx_.record_time)) update_watermark();
  return true;
}

result<void> task_impl::record_failed(task_input& in, const record_view& record,
                                      const step_error& failed) {
  if (options_.watcher != nullptr) options_.watcher->step_ended();
  rollback_step();
  const auto& op = stage_->ops[ctx_.op].name;
  const auto position = fmt::format("{}@{}", in.where().text(), record.offset);
  if (!failed.of_the_record) return fail(failed.reason);
  if (phase_ == task_phase::replaying) {
    if (!failed.users) return {};  // it failed the first time too
    return fail(errc::user_code, position,
                fmt::format("replay: operator \"{}\" failed ({}) where it did not at first: it is "
                            "not deterministic",
                            op, failed.reason.message));
  }
  if (options_.on_failure == failure_policy::stop) {
    return fail(failed.reason.code, position,
                fmt::format("operator \"{}\": {}", op, failed.reason.text()));
  }
  if (failed.users) {
    record_.failed_records.push_back({static_cast<std::uint32_t>(index_of(in)), record.offset, op});
  }
  to_dead_letters(failed.reason, op, in, record);
  return {};
}

// ── the usual case ────────────────────────────────────────────────────────────────────────────

// Whether the next steps can only be records of the one input: no timer to look for, nothing that
// an epoch record says, nobody suspected. All else goes step by step.
bool task_impl::records_only() const {
  if (several_inputs_ || check_timers_ || inputs_ended_ || !options_.suspects.empty()) return false;
  if (phase_ == task_phase::replaying)
    return script_.empty() && script_next_ >= script_end_ && failed_records_.empty();
  return open_ && !full_ && !flags_pending() && !too_dirty();
}

// Takes records until something else needs attention; gives their number, which may be 0.
result<std::size_t> task_impl::run_records(std::size_t budget) {
  auto& in = *inputs_.front();
  auto& root = *program_.roots.front();
  const bool replaying = phase_ == task_phase::replaying;
  const auto limit = replaying ? live_from_.front() : in.end_bound.value_or(task_input::no_limit);
  // What is too dirty is looked at between calls.
  if (replaying || snapshot_pending()) budget = std::min<std::size_t>(budget, 255);
  // A window's state is not under the record's key.
  key_scout scout{stage_->windowed ? nullptr : table_.get(), in, budget};
  result<void> failed;
  std::size_t done = 0;
  while (done < budget && !check_timers_ && (replaying || real_watermark_ <= time_limit_)) {
    const auto* record = in.ready(limit);
    if (record == nullptr || (in.spec().internal && !record->headers.empty())) break;
    scout.at(done);
    in.order = std::max(in.order, record->time);
    const auto at = record->offset;
    if (!apply_record(in, root, *record, failed)) return fail(failed.error());
    in.pop(at);
    ++done;
    if (replaying) {
      failpoint::hit("recover.replay");
      continue;
    }
    const bool bounds_checked = (++steps_ & 1023) == 0;
    if (builder_.size_bytes() >= options_.limits.max_epoch_bytes ||
        (bounds_checked && epoch_full())) {
      full_ = true;
      break;
    }
  }
  if (done == 0) return done;
  in.had_record = true;
  in.drained = false;
  changed_since_snapshot_ = true;
  ended_quiet_ = false;
  if (replaying) {
    counters_.replayed += done;
  } else {
    counters_.records_in += done;
  }
  return done;
}

// ── timers ────────────────────────────────────────────────────────────────────────────────────

// The first timer that is due, in (time, operator, key) order; closing timers see `end`, the
// others only the last real watermark.
result<std::optional<fired_timer>> task_impl::due_timer() {
  if (!check_timers_) return std::optional<fired_timer>{};
  auto a = closing_->first_due(ctx_.effective_watermark);
  if (!a) return fail(a.error());
  auto b = timers_->first_due(real_watermark_);
  if (!b) return fail(b.error());
  std::optional<fired_timer> due;
  if (*a && (!*b || !timer_before(**b, **a))) {
    due = fired_timer{true, std::move(**a)};
  } else if (*b) {
    due = fired_timer{false, std::move(**b)};
  }
  check_timers_ = due.has_value();
  return due;
}

result<void> task_impl::fire(const fired_timer& due) {
  const bool replaying = phase_ == task_phase::replaying;
  auto* const op = program_.timers.at(due.timer.op);
  if (op == nullptr)
    return fail(errc::incompatible, id_.text(), "a timer of an operator that has none");
  ctx_.clock = {min_time, real_watermark_};
  for (const auto& in : inputs_) {
    ctx_.clock.largest = std::max(ctx_.clock.largest, in->clock().largest());
  }
  ctx_.key.reset();
  ctx_.op = due.timer.op;
  auto& in = *inputs_.front();
  if (origin_.where == nullptr) origin_ = {&in.where(), in.next(), nullptr};
  changed_since_snapshot_ = true;
  begin_step(origin_.where, origin_.offset, nullptr);
  std::optional<step_error> failed;
  const auto place = place_of(due);
  const bool deadly =
      std::any_of(options_.suspects.begin(), options_.suspects.end(), [&](const crash_suspect& s) {
        return s.input == timers_input && s.offset == place && s.deaths >= deaths_until_dead_letter;
      });
  if (options_.watcher != nullptr)
    options_.watcher->step_begins(name_, timers_input, place, &ctx_.op);
  try {
    if (deadly && !replaying)
      throw std::runtime_error{"the process died at this timer time and again"};
    (due.closing ? closing_ : timers_)->remove(due.timer);
    op->fire(due.timer, due.closing, ctx_);
    commit_step();
  } catch (...) {
    failed = current_step_error();
  }
  if (options_.watcher != nullptr) options_.watcher->step_ended();
  if (failed) {
    rollback_step();
    const auto name = stage_->ops[ctx_.op].name;
    const auto what = fmt::format("{} timer {}", id_.text(), format_time(due.timer.time));
    if (!failed->of_the_record) return fail(failed->reason);
    if (replaying && failed->users) {
      return fail(errc::user_code, what,
                  fmt::format("replay: operator \"{}\" failed ({}) where it did not at first: it "
                              "is not deterministic",
                              name, failed->reason.message));
    }
    if (!replaying) {
      if (options_.on_failure == failure_policy::stop) {
        return fail(failed->reason.code, what,
                    fmt::format("operator \"{}\": {}", name, failed->reason.text()));
      }
      const auto state = caught(what, [&] { return result<bytes>{op->state_of(due.timer)}; });
      dead_letter d;
      d.reason = failed->reason;
      d.op = name;
      d.position = fmt::format("{}@{}", origin_.where->text(), origin_.offset);
      d.key = due.timer.key;
      if (state) d.value = *state;
      d.time = due.timer.time;
      d.timer_time = due.timer.time;
      builder_.add(d);
      ++counters_.dead_letters;
      record_.failed_timers.push_back(due);
      options_.log_to(log_level::warning, "dead letter",
                      {{"task", id_.text()},
                       {"operator", name},
                       {"timer", format_time(due.timer.time)},
                       {"error", failed->reason.text()}});
    }
    if (auto gave_up = give_up(due); !gave_up) return gave_up;
  }
  last_fired_ = due;
  ++counters_.timers_fired;
  const bool bounds_checked = (++steps_ & 1023) == 0;
  if (builder_.size_bytes() >= options_.limits.max_epoch_bytes ||
      (bounds_checked && epoch_full())) {
    full_ = phase_ == task_phase::live;
  }
  return {};
}

result<void> task_impl::give_up(const fired_timer& due) {
  changed_since_snapshot_ = true;
  begin_step(origin_.where, origin_.offset, nullptr);
  try {
    (due.closing ? closing_ : timers_)->remove(due.timer);
    program_.timers.at(due.timer.op)->give_up(due.timer, due.closing, ctx_);
  } catch (...) {
    const auto failed = current_step_error();
    rollback_step();
    return fail(failed.reason);
  }
  commit_step();
  last_fired_ = due;
  return {};
}

// ── event time ────────────────────────────────────────────────────────────────────────────────

void task_impl::update_watermark() {
  std::optional<timestamp> least;
  for (const auto& in : inputs_) {
    if (const auto w = in->clock().watermark()) least = least ? std::min(*least, *w) : *w;
  }
  if (least && *least > real_watermark_) {
    real_watermark_ = *least;
    check_timers_ = has_timers_;
  }
  inputs_ended_ = all_ended();
  const auto effective = inputs_ended_ ? max_time : real_watermark_;
  if (effective != ctx_.effective_watermark) {
    ctx_.effective_watermark = effective;
    check_timers_ = has_timers_;
  }
}

// Nothing to do when event time is there already.
void task_impl::advance_event_time(timestamp t) {
  const bool moves = std::any_of(inputs_.begin(), inputs_.end(), [t](const auto& in) {
    if (in->spec().internal || in->clock().ended()) return false;
    const auto now = in->clock().watermark();
    return !now || *now < t;
  });
  flag_advance_.reset();
  if (moves) flag_advance_ = t;  // not known before the end of a replay; go_live asks again
}

bool task_impl::all_ended() const {
  return std::all_of(inputs_.begin(), inputs_.end(),
                     [](const auto& in) { return in->clock().ended(); });
}

std::size_t task_impl::index_of(const task_input& in) const {
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i].get() == &in) return i;
  }
  bug("an input of another task");
}

bool task_impl::is_suspect(const task_input& in, offset at, int deaths) const {
  for (const auto& s : options_.suspects) {
    if (s.input != in.spec().topic || s.deaths < deaths) continue;
    // One death: everything up to the suspect goes record by record. Three: the suspect itself.
    if (deaths == 1 ? at <= s.offset : at == s.offset) return true;
  }
  return false;
}

}  // namespace kappa::detail
