// Replay: what was committed after the state was saved is done again, muted, and exactly as it was
// done at first.
#include <algorithm>

#include <fmt/format.h>

#include "task/task_impl.hpp"

namespace kappa::detail {

bool task_impl::replay_bounds_reached() const {
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i]->next() < live_from_[i]) return false;
  }
  return true;
}

// What an epoch declared at its opening.
void task_impl::declare(script_entry& s) {
  s.opened = true;
  changed_since_snapshot_ = true;
  for (const auto i : s.record.idle) inputs_[i]->clock().set_idle();
  for (const auto i : s.record.ended) inputs_[i]->clock().set_end();
  for (auto& in : inputs_) {
    if (s.record.advance) in->clock().advance(*s.record.advance);
  }
  update_watermark();
}

// Opens the epoch records that begin at the present position: what they declared at their opening
// holds from here. (A snapshot taken later has it already.)
result<void> task_impl::enter_script() {
  const auto too_short = [&] {
    if (script_next_ >= script_end_) return false;
    if (script_.empty()) return true;
    return !several_inputs_ && script_.back().record.inputs.front().from <= inputs_.front()->next();
  };
  while (too_short()) {
    if (auto read = read_more_script(); !read) return read;
  }
  if (several_inputs_) {
    if (script_.empty() || script_.front().opened) return {};
    auto& s = script_.front();
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const auto& bounds = s.record.inputs[i];
      if (bounds.from > inputs_[i]->next()) {
        return fail(
            errc::corrupt,
            fmt::format("{}[{}]@{}", stage_->epochs_topic(), id_.partition, s.offset),
            fmt::format("epoch {} begins at {} of {}, replay is at {}: epoch records are missing",
                        s.record.number, bounds.from, inputs_[i]->where().text(),
                        inputs_[i]->next()));
      }
      inputs_[i]->bound = bounds.to;
    }
    declare(s);
    return {};
  }
  const auto next = inputs_.front()->next();
  for (auto& s : script_) {
    const auto from = s.record.inputs.front().from;
    if (from > next) break;
    if (!s.opened && from == next) declare(s);
    s.opened = true;
  }
  return {};
}

// One input: drops the epoch records that are done. Not before their timers have fired: a snapshot
// taken here must find them again.
void task_impl::leave_script() {
  const auto next = inputs_.front()->next();
  while (!script_.empty() && script_.front().opened &&
         script_.front().record.inputs.front().to <= next) {
    epochs_next_ = script_.front().offset + 1;
    script_.pop_front();
  }
}

// Several inputs: the epoch is done; true when it was the last one.
result<bool> task_impl::leave_epoch() {
  for (auto& i : inputs_) i->skip_to(i->bound);
  epochs_next_ = script_.front().offset + 1;
  script_.pop_front();
  if (!script_.empty() || script_next_ < script_end_) return false;
  if (replay_bounds_reached()) return true;
  return fail(errc::corrupt, id_.text(), "epoch records are missing in " + stage_->epochs_topic());
}

// The epoch closed before `due` was fired.
result<bool> task_impl::replayed_up_to(const fired_timer& due) {
  if (!several_inputs_)
    return replay_bounds_reached() && replay_up_to_ && fires_before{}(*replay_up_to_, due);
  if (script_.empty()) return replay_bounds_reached();
  const auto& up_to = script_.front().record.fired_up_to;
  if (!up_to || !fires_before{}(*up_to, due)) return false;
  auto in = earliest_head();
  if (!in) return fail(in.error());
  return *in == nullptr && !inputs_wait();
}

// One muted step; true when everything up to the committed positions has been done again.
result<bool> task_impl::replay_step() {
  for (auto& i : inputs_) i->look_anew();
  if (auto entered = enter_script(); !entered) return fail(entered.error());
  auto due = due_timer();
  if (!due) return fail(due.error());
  if (*due) {
    auto all = replayed_up_to(**due);
    if (!all) return fail(all.error());
    if (inputs_wait()) return false;
    if (*all) return several_inputs_ && !script_.empty() ? leave_epoch() : true;
    auto fired = failed_timers_.contains(**due) ? give_up(**due) : fire(**due);
    if (!fired) return fail(fired.error());
    return false;
  }
  if (!several_inputs_) {
    leave_script();
    auto& in = *inputs_.front();
    auto head = in.head(live_from_.front());
    if (!head) return fail(head.error());
    if (in.waits()) return false;
    if (*head == nullptr) {
      if (in.next() >= live_from_.front()) return true;
      in.skip_to(live_from_.front());  // a gap; an epoch may have been opened behind it
      return false;
    }
    ++counters_.replayed;
    if (auto done = apply(in, **head); !done) return fail(done.error());
    return false;
  }
  if (script_.empty()) {
    if (replay_bounds_reached()) return true;
    return fail(errc::corrupt, id_.text(),
                "epoch records are missing in " + stage_->epochs_topic());
  }
  auto in = earliest_head();
  if (!in) return fail(in.error());
  if (inputs_wait()) return false;
  if (*in == nullptr) return leave_epoch();
  ++counters_.replayed;
  auto head = (*in)->head((*in)->bound);
  if (!head) return fail(head.error());
  if (auto done = apply(**in, **head); !done) return fail(done.error());
  return false;
}

// With several inputs the merge has no place to go on from within an epoch.
bool task_impl::replay_snapshot_allowed() const {
  return !several_inputs_ || script_.empty() || !script_.front().opened;
}

bool task_impl::replay_too_dirty(std::size_t steps) {
  constexpr std::size_t steps_between_looks = 256;
  steps_since_look_ += steps;
  if (several_inputs_ ? !replay_snapshot_allowed() : steps_since_look_ < steps_between_looks)
    return false;
  steps_since_look_ = 0;
  return dirty_bytes() >= options_.limits.max_dirty_bytes;
}

}  // namespace kappa::detail
