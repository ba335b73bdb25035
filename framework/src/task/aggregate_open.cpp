// Which events the state lacks, and how it comes by them.
#include <algorithm>

#include <fmt/format.h>

#include "kappa/aggregate/command_id.hpp"
#include "kappa/aggregate/event_header.hpp"
#include "kappa/core/failpoint.hpp"
#include "kappa/task/readable_history.hpp"
#include "task/aggregate_impl.hpp"

namespace kappa::detail {

result<void> aggregate_task::open_state() {
  auto identity = options_.log->identity({options_.events_topic});
  if (!identity) return fail(identity.error());
  const auto& id = options_.id;
  state_store_options so;
  so.folder = options_.state_folder;
  so.identity = {id.app, id.stage, id.generation, id.partition, *identity, options_.fingerprint};
  so.tables.push_back({id.stage, options_.state_schema});
  so.tables.push_back({"commands", {"none", 0, 0, "none", nullptr}});
  const auto has = [&](deadline_clock c) { return options_.program->has_deadlines(c); };
  const schema_info no_schema{"none", 0, 0, "none", nullptr};
  if (has(deadline_clock::machine)) so.tables.push_back({"deadlines", no_schema});
  if (has(deadline_clock::events)) so.tables.push_back({"event deadlines", no_schema});
  auto store = state_store::open(so);
  if (!store) return fail(store.error());
  store_ = std::move(*store);
  states_ = options_.program->make_table(
      *store_, 0, {options_.limits.cache_bytes, options_.limits.passivate_after});
  window_.emplace(*store_, 1, options_.window);
  std::size_t table = 2;
  for (const auto clock : deadline_clocks) {
    if (has(clock)) deadlines_.emplace_back(clock, *store_, table++);
  }
  if (auto stats = store_->stats()) counters_.state = *stats;
  return window_->load();
}

// Nothing: there is no state.
result<std::optional<aggregate_task::place>> aggregate_task::place_of_state() {
  const auto raw = store_->snapshot();
  if (!raw) return std::optional<place>{};
  const auto snapshot = decode_snapshot(*raw);
  auto at = snapshot ? place_in(*snapshot) : std::nullopt;
  if (!at || snapshot->epoch != store_->epoch()) {
    return fail(errc::corrupt, name_,
                "the state's snapshot record is malformed; delete the state folder to rebuild it");
  }
  last_epoch_ = snapshot->epoch;
  return at;
}

result<void> aggregate_task::find_place_and_open() {
  // Here and not at the first command: a start is tried again for as long as it takes.
  if (options_.keys && options_.program->personal_field() != nullptr) {
    if (auto can = options_.keys->store().check_reachable(); !can) return can;
  }
  if (auto opened = open_state(); !opened) return opened;
  const auto from = place_of_state();
  if (!from) return fail(from.error());
  auto position = options_.log->position(position_of(options_.events_topic));
  if (!position) return fail(position.error());
  if (*position) {
    const auto meta = decode_metadata((*position)->metadata);
    if (!meta)
      return fail(errc::corrupt, name_, "the metadata of its committed position is malformed");
    last_epoch_ = std::max(last_epoch_, meta->epoch);
    has_events_ = meta->place.has_value();
  }
  // After the position: whoever had the task before can write no more, and its last events are in
  // front of this end.
  auto end = options_.log->settled_end(where());
  if (!end) return fail(end.error());
  auto bounds = options_.log->bounds(where());
  if (!bounds) return fail(bounds.error());
  std::optional<offset> committed;
  if (*position) committed = (*position)->next;
  auto outcomes_end = options_.log->settled_end(outcomes());
  if (!outcomes_end) return fail(outcomes_end.error());
  if (auto good = check_events(*from, committed, *bounds, *end); !good) return good;
  has_events_ = has_events_ || *end > offset{0};
  durable_ = from->value_or(place{bounds->earliest, 0, {}});
  to_skip_ = durable_.records;
  events_tail_ = {where(), durable_.base, *end};
  if (failpoint::broken("no-tail")) {
    durable_ = {*end, 0, {}};
    to_skip_ = 0;
    events_tail_ = {where(), *end, *end};
  }
  if (auto found = find_outcomes(*from, *outcomes_end); !found) return found;
  if (auto opened = open_requests(); !opened) return opened;
  counters_.replay_total = events_tail_.left() + outcomes_tail_.left();
  last_snapshot_at_ = options_.clock();
  failpoint::hit("recover.plan");
  if (counters_.replay_total == 0) {
    go_live();
    return {};
  }
  last_epoch_ = std::max(last_epoch_, epoch_number{1});  // tables begin with it
  window_->expect(counters_.replay_total);
  for (auto* tail : {&events_tail_, &outcomes_tail_}) {
    if (tail->done()) continue;
    if (auto opened = tail->open(*options_.log); !opened) return opened;
  }
  failpoint::hit("recover.replay");
  return {};
}

// Of the outcomes only those are needed that are not older than what is remembered: a part that is
// not there any more is no loss.
result<void> aggregate_task::find_outcomes(const std::optional<place>& state, offset end) {
  if (state && state->outcomes > end) {
    return fail(errc::refused_start, name_,
                fmt::format("its state is as of {} of {}, which ends at {}: the log is not the "
                            "one that this state came from",
                            state->outcomes, outcomes().text(), end));
  }
  auto bounds = options_.log->bounds(outcomes());
  if (!bounds) return fail(bounds.error());
  const auto from = state ? std::max(state->outcomes, bounds->earliest) : bounds->earliest;
  outcomes_tail_ = {outcomes(), from, end};
  durable_.outcomes = from;
  return {};
}

result<void> aggregate_task::check_events(const std::optional<place>& state,
                                          std::optional<offset> committed,
                                          const partition_bounds& bounds, offset end) const {
  if (state && state->next() > end) {
    return fail(errc::refused_start, name_,
                fmt::format("its state is as of {} of {}, which ends at {}: the log is not the "
                            "one that this state came from",
                            state->next(), where().text(), end));
  }
  const bool gone = has_events_ && bounds.earliest == end;
  if (committed && (*committed > end || gone)) {
    return fail(errc::refused_start, name_,
                fmt::format("it has committed events, and {} ends at {}: the topic is not the "
                            "one that they were written to",
                            where().text(), end));
  }
  if (bounds.earliest > (state ? state->base : offset{0})) {
    return fail(errc::refused_start, name_,
                fmt::format("{} begins at {}, and {}: events of an aggregate must never be "
                            "deleted (retention, compaction). Bring the topic or the state back "
                            "from a backup",
                            where().text(), bounds.earliest,
                            state ? fmt::format("the state is as of {}", state->base)
                                  : std::string{"there is no state"}));
  }
  return {};
}

void aggregate_task::go_live() {
  events_tail_.close();
  outcomes_tail_.close();
  durable_.outcomes = outcomes_tail_.next();
  phase_ = task_phase::live;
  failpoint::hit("recover.live");
}

result<run_status> aggregate_task::replay(std::size_t budget) {
  run_status status;
  status.replaying = true;
  status.blocked = too_dirty();
  bool waits = false;
  while (!status.blocked && !waits && status.steps < budget) {
    auto& tail = events_tail_.done() ? outcomes_tail_ : events_tail_;
    auto r = tail.peek(options_.limits.read_bytes);
    if (!r) return fail(r.error());
    if (*r == nullptr) {
      if (tail.done() && outcomes_tail_.done()) break;
      waits = !tail.done();  // it is on its way
      continue;
    }
    if (&tail == &outcomes_tail_) {
      if (auto done = replay_outcome(**r); !done) return fail(done.error());
    } else if (to_skip_ > 0) {
      --to_skip_;
    } else {
      if (auto done = replay_event(**r); !done) return fail(done.error());
      durable_.base = (*r)->offset + 1;
      durable_.records = 0;
      ++counters_.replayed;
    }
    changed_since_snapshot_ = true;
    tail.pop();
    durable_.outcomes = outcomes_tail_.next();
    ++status.steps;
    if (dirty_bytes() >= options_.limits.max_dirty_bytes) break;
  }
  durable(last_epoch_);
  ++spent_epochs_;
  const bool done = events_tail_.done() && outcomes_tail_.done();
  if (done && to_skip_ > 0) {
    return fail(errc::refused_start, name_,
                fmt::format("{} lacks {} events that its state has seen: the log is not the one "
                            "that this state came from",
                            where().text(), to_skip_));
  }
  if (done) go_live();
  status.more = !status.blocked && !waits;
  return status;
}

result<void> aggregate_task::replay_event(const record_view& r) {
  const auto at = [&] { return fmt::format("{}@{}", where().text(), r.offset); };
  const auto foreign = [&](std::string why) {
    return fail(errc::corrupt, at(),
                fmt::format("it is no event of {}: {}", options_.id.stage, std::move(why)));
  };
  if (!r.key || !r.value) return foreign("it has no key, or no value");
  const auto header = decode_event_header(r.headers);
  if (!header) return foreign(header.error().text());
  const auto has_id = decode_command_header(r.headers, own_header_);
  if (!has_id) return foreign(has_id.error().text());
  // Most often as of the last one, byte for byte.
  const auto schema = r.headers.find(envelope_header::schema);
  if (!schema) return foreign("it does not say of which type it is");
  if (*schema != replayed_schema_) {
    const auto type = decode_schema_reference(*schema);
    if (!type) return foreign(type.error().text());
    const auto kind = kinds_.find(key_of_type(*type));
    if (kind == kinds_.end()) {
      return fail(errc::incompatible, at(),
                  fmt::format("it is a {}, which this version of the aggregate does not know: {}",
                              type->name, mend_of_unknown_event));
    }
    replayed_schema_ = *schema;
    replayed_kind_ = kind->second;
  }
  begin_step(last_epoch_);
  deadline_changes deadlines;
  auto done = caught(name_, [&] {
    return options_.program->apply(*states_, *r.key, replayed_kind_, *r.value, header->version,
                                   r.time, deadlines);
  });
  if (!done) {
    rollback_step();
    auto e = done.error();
    e.message = fmt::format("{}: {}", at(), e.message);
    return fail(std::move(e));
  }
  note_deadlines(*r.key, deadlines);
  commit_step();
  note_time(replayed_kind_, r.time);
  if (*has_id) {
    command_receipt receipt;
    receipt.version = header->version - header->place + header->count - 1;
    receipt.events = header->count;
    receipt.reply = std::move(own_header_.reply);
    remember(own_header_, receipt);
  }
  return {};
}

// A record may come twice: which of them the state has is not counted.
result<void> aggregate_task::replay_outcome(const record_view& r) {
  const auto foreign = [&](const std::string& why) {
    return fail(errc::corrupt, fmt::format("{}@{}", outcomes().text(), r.offset),
                fmt::format("it is no outcome of a command of {}: {}", options_.id.stage, why));
  };
  const auto has_id = decode_command_header(r.headers, own_header_);
  if (!has_id) return foreign(has_id.error().text());
  if (!*has_id || !r.value) return foreign("it has no such header, or no value");
  auto outcome = decode_outcome(*r.value);
  if (!outcome) return foreign(outcome.error().text());
  if (window_->is_over(own_header_.decided_at)) return {};
  auto known = window_->find(checksum128(own_header_.id));
  if (!known) return fail(known.error());
  if (!*known || (*known)->decided_at < own_header_.decided_at) remember(own_header_, *outcome);
  return {};
}

void aggregate_task::remember(const command_header& h, const lasting_outcome& outcome) {
  encoded_outcome_.clear();
  encode_outcome(outcome, encoded_outcome_);
  window_->add(checksum128(h.id), h.fingerprint, h.decided_at, time_of_command_id(h.id),
               encoded_outcome_);
  window_->forget(h.decided_at);
}

}  // namespace kappa::detail
