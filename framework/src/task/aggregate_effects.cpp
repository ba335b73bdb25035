// What follows from decisions beside events: commands to other aggregates, what a command came to
// for the aggregate that sent it, records for topics of the app, and reminders.
#include <algorithm>

#include <fmt/format.h>

#include "kappa/aggregate/command_id.hpp"
#include "kappa/core/partitioner.hpp"
#include "task/aggregate_impl.hpp"

namespace kappa::detail {
namespace {

/// For the step watcher.
const std::string deadlines_input = "deadlines";

constexpr std::size_t short_text_bytes = 1000;

bool is_of(const schema_reference& type, const schema_info& declared) {
  return type.fingerprint == declared.fingerprint && type.id == declared.id &&
         type.name == declared.name;
}

// Of the same kind, without what may be long.
command_outcome in_short(command_outcome o) {
  if (auto* receipt = std::get_if<command_receipt>(&o)) {
    receipt->reply.reset();
  } else if (auto* why = std::get_if<kappa::rejection>(&o)) {
    why->reason.resize(std::min(why->reason.size(), short_text_bytes));
    why->value.clear();
    why->type.clear();
  } else if (auto* e = std::get_if<error>(&o)) {
    e->subject.resize(std::min(e->subject.size(), short_text_bytes));
    e->message.resize(std::min(e->message.size(), short_text_bytes));
  }
  return o;
}

}  // namespace

// ── commands ──

// Everything that may fail; nothing is kept of it but `sends_`.
result<void> aggregate_task::prepare_sends(const command_call& call) {
  sends_.clear();
  if (decided_.sends.empty()) return {};
  if (decided_.events.empty()) {
    return fail(errc::user_code, printable(call.key),
                "it sends commands, and no event says so: a decision that sends must have one");
  }
  command_headers h;
  if (options_.program->hears_results()) h.result_to = {options_.id.stage, call.key, ""};
  for (std::size_t i = 0; i < decided_.sends.size(); ++i) {
    auto& c = decided_.sends[i];
    if (c.options.about.size() > max_about_bytes) {
      return fail(errc::too_large, printable(call.key),
                  fmt::format("what it says about a command has {} bytes; {} are allowed",
                              c.options.about.size(), max_about_bytes));
    }
    if (!options_.routes) return fail(errc::user_code, c.type->name, "it has nowhere to go");
    auto route = options_.routes->find(c);
    if (!route) return fail(route.error());
    h.type = *c.type;
    h.id = id_of_send(call.key, decided_.version_before + 1, i);
    if (h.result_to) h.result_to->about = c.options.about;
    auto& send = sends_.emplace_back();
    encode_command_headers(h, send.headers);
    const auto size = record_bytes(c.key, c.body, send.headers.size());
    if (size > (*route)->max_record_bytes) {
      return fail(errc::too_large, printable(c.key),
                  fmt::format("a command to it takes {} bytes, and a record of {} may have {}",
                              size, (*route)->topic, (*route)->max_record_bytes));
    }
    send.to = {(*route)->topic, partition_of(c.key, (*route)->partitions)};
  }
  return {};
}

// The same for the same decision: whoever gets the command twice, by whatever way, does it once.
bytes aggregate_task::id_of_send(bytes_view key, std::uint64_t version, std::size_t which) const {
  bytes about;
  byte_writer{about}.put_bytes(options_.id.app).put_bytes(options_.id.stage).put_bytes(key);
  byte_writer{about}.put(version).put(std::uint64_t{which});
  return derived_command_id(about);
}

void aggregate_task::append_sends(timestamp now) {
  for (std::size_t i = 0; i < sends_.size(); ++i) {
    const auto& c = decided_.sends[i];
    append_outgoing(sends_[i].to, c.key, c.body, sends_[i].headers, now);
  }
}

void aggregate_task::append_outgoing(const topic_partition& to, bytes_view key, bytes_view value,
                                     bytes_view headers, timestamp now) {
  auto& batch = outgoing_[to];
  if (!batch) batch = std::make_shared<record_batch>();
  const auto before = batch->size_bytes();
  batch->add(now, key, value, headers);
  outgoing_bytes_ += batch->size_bytes() - before;
  somebody_waits_ = true;
}

// ── what they came to ──

// Null: there is none. Of an aggregate that only another version of the app has, which may run at
// the same time, the log knows. May block then, once for each.
result<const command_route*> aggregate_task::route_to(const std::string& aggregate) {
  if (options_.routes) {
    if (const auto* known = options_.routes->find(aggregate)) return known;
  }
  if (const auto known = strangers_.find(aggregate); known != strangers_.end())
    return &known->second;
  const auto name = fmt::format("{}.{}.commands", options_.id.app, aggregate);
  auto topic = options_.log->find_topic(name);
  if (!topic) return fail(topic.error());
  if (!*topic || !(*topic)->owner.empty()) return nullptr;
  command_route r{aggregate, name, (*topic)->partitions, (*topic)->max_record_bytes, 0};
  return &strangers_.emplace(aggregate, std::move(r)).first->second;
}

// errc::incompatible: there is no such aggregate to be told.
result<void> aggregate_task::check_sender(const command_headers& h) {
  if (!h.result_to) return {};
  auto route = route_to(h.result_to->aggregate);
  if (!route) return fail(route.error());
  if (*route != nullptr) return {};
  return fail(errc::incompatible, h.type.name,
              fmt::format("\"{}\" has sent it, and the app has no such aggregate",
                          printable(h.result_to->aggregate)));
}

void aggregate_task::send_result(const result_address& to, bytes_view of,
                                 const command_outcome& outcome, timestamp now) {
  const auto found = route_to(to.aggregate);
  const auto* route = found ? *found : nullptr;
  if (route == nullptr) return;  // the command is a dead letter for it
  command_headers h;
  h.type = reference_to(codec<command_result>::schema());
  headers_.clear();
  encode_command_headers(h, headers_);
  const auto too_large = [&](bytes_view value) {
    return record_bytes(to.key, value, headers_.size()) > route->max_record_bytes;
  };
  auto value = encoded(command_result{to.about, bytes{of}, outcome});
  if (too_large(value)) value = encoded(command_result{to.about, bytes{of}, in_short(outcome)});
  if (too_large(value)) {
    options_.log_to(log_level::error, "an aggregate is not told what its command came to",
                    {{"task", name_},
                     {"sender", to.aggregate},
                     {"error", fmt::format("keys of {} and {} bytes are too large for a record",
                                           to.key.size(), of.size())}});
    return;
  }
  append_outgoing({route->topic, partition_of(to.key, route->partitions)}, to.key, value, headers_,
                  now);
}

// ── records for others ──

// As prepare_sends.
result<void> aggregate_task::prepare_published(const command_call& call) {
  publishes_.clear();
  if (decided_.events.empty()) {
    return fail(errc::user_code, printable(call.key),
                "it publishes, and no event says so: a decision that publishes must have one");
  }
  for (const auto& r : decided_.publishes) {
    const auto which = place_of_published(r);
    if (!which) return fail(which.error());
    const auto& to = options_.published[*which];
    const bytes_view key = r.key ? *r.key : call.key;
    const auto size = record_bytes(key, r.value, published_headers_[*which].size());
    if (size > to.max_record_bytes) {
      return fail(errc::too_large, printable(call.key),
                  fmt::format("what it publishes takes {} bytes, and a record of {} may have {}",
                              size, to.spec.topic, to.max_record_bytes));
    }
    publishes_.push_back(*which);
  }
  return {};
}

// In options_.published.
result<std::size_t> aggregate_task::place_of_published(const outgoing_record& r) const {
  const auto& all = options_.published;
  const auto wrong = [&](std::string why) {
    return fail(errc::user_code, "topic " + r.topic,
                fmt::format("\"{}\" publishes a {} to it, and {}", options_.id.stage, r.type->name,
                            std::move(why)));
  };
  const auto to = std::find_if(all.begin(), all.end(),
                               [&](const port_layout& p) { return p.spec.topic == r.topic; });
  if (to == all.end()) {
    return wrong(
        fmt::format("the app does not declare it: app.aggregate<…>(\"{}\", {{.publishes = "
                    "{{kappa::published<…>(\"{}\")}}}})",
                    options_.id.stage, r.topic));
  }
  const auto& declared = to->spec.schema;
  if (!is_of(*r.type, declared)) {
    return wrong(
        fmt::format("the app declares that it holds {}: declare it with the type that "
                    "is published, or name another topic",
                    declared.name));
  }
  const auto& keys = *to->spec.key_schema;
  const auto own = reference_to(options_.key_schema);
  const auto& key = r.key ? *r.key_type : own;
  if (!is_of(key, keys)) {
    return wrong(fmt::format(
        "its key is of type {}, where the app declares keys of {}: give it one of these, or "
        "declare the topic by kappa::published<T, K>",
        key.name, keys.name));
  }
  return static_cast<std::size_t>(to - all.begin());
}

void aggregate_task::append_published(const command_call& call, timestamp now) {
  for (std::size_t i = 0; i < decided_.publishes.size(); ++i) {
    const auto& r = decided_.publishes[i];
    const auto& to = options_.published[publishes_[i]];
    const bytes_view key = r.key ? *r.key : call.key;
    append_outgoing({to.spec.topic, partition_of(key, to.partitions)}, key, r.value,
                    published_headers_[publishes_[i]], r.time.value_or(now));
  }
}

// ── reminders ──

// Within a step.
void aggregate_task::note_deadlines(bytes_view key, const deadline_changes& changes) {
  for (auto& q : deadlines_) {
    const auto& change = changes[q.clock()];
    // One that has been asked does not come again by what the other clock's has decided: the two
    // would go on for ever.
    if (fired_of_ != nullptr && fired_of_ != &q && change.before == change.after) continue;
    q.note(key, change);
  }
}

timestamp aggregate_task::next_due() const {
  if (phase_ != task_phase::live || options_.replay_only || deadlines_wait_) return max_time;
  for (const auto& q : deadlines_) {
    if (q.clock() == deadline_clock::machine) return q.next();
  }
  return max_time;
}

bool aggregate_task::event_deadline_is_due() const {
  return event_time_ && deadlines_.back().next() <= *event_time_;
}

// Within a step. It is over, whatever the decision was: one that stays where it was would be asked
// again for ever.
void aggregate_task::settle_fired() {
  fired_of_->remove(*fired_);
  auto& change = decided_.deadlines[fired_of_->clock()];
  if (change.after != fired_->time) return;
  change.after.reset();
  options_.log_to(
      log_level::warning,
      "a deadline has passed, and what the aggregate decided leaves it in the past",
      {{"task", name_}, {"key", printable(fired_->key)}, {"deadline", format_time(fired_->time)}});
}

result<void> aggregate_task::fire_deadlines(std::size_t budget, run_status& status) {
  deadlines_wait_ = false;
  // Those in event time first: commands wait for them, and for no others.
  for (auto q = deadlines_.rbegin(); q != deadlines_.rend(); ++q) {
    if (auto fired = fire_due(*q, budget - status.steps, status); !fired) return fired;
  }
  return {};
}

result<void> aggregate_task::fire_due(deadline_queue& of, std::size_t budget, run_status& status) {
  if (of.next() > time_by(of.clock())) return {};
  for (std::size_t done = 0; done < budget; ++done) {
    auto due = of.due(time_by(of.clock()));
    if (!due) return fail(due.error());
    if (!*due) return {};
    if (!has_room(status)) {
      deadlines_wait_ = true;
      return {};
    }
    if (auto fired = fire(of, **due); !fired) return fired;
    ++status.steps;
    ++counters_.timers_fired;
  }
  status.more = true;
  return {};
}

// So that it is known again in the next life.
offset aggregate_task::place_of(const timer& due) {
  return offset{static_cast<std::int64_t>(checksum(encode_timer(due)) >> 1)};
}

result<void> aggregate_task::fire(deadline_queue& of, const timer& due) {
  const bool in_event_time = of.clock() == deadline_clock::events;
  command_call call{due.key, options_.program->place_of_deadlines(of.clock()),
                    in_event_time ? encoded(event_deadline_passed{due.time, *event_time_})
                                  : encoded(deadline_passed{due.time})};
  const auto at = place_of(due);
  command_outcome outcome;
  if (is_deadly(deadlines_input, at)) {
    outcome = died_of_it(due.key);
  } else {
    const watched_step watched{*this, deadlines_input, at};
    fired_ = &due;
    fired_of_ = &of;
    outcome = decide(call);
    fired_ = nullptr;
    fired_of_ = nullptr;
  }
  changed_since_snapshot_ = true;
  const auto* failed = std::get_if<error>(&outcome);
  if (failed == nullptr) return {};
  if (!is_its_own(failed->code)) return fail(*failed);
  begin_step(last_epoch_ + 1);
  of.remove(due);
  commit_step();
  open_epoch(options_.clock());
  auto state = states_->read(due.key, read_level::latest);
  if (!state) return fail(state.error());
  dead_letter d;
  d.reason = *failed;
  d.op = in_event_time ? codec<event_deadline_passed>::schema().name
                       : codec<deadline_passed>::schema().name;
  d.position = fmt::format("{}@{}", where().text(), durable_.next());
  d.key = due.key;
  if (*state) d.value = **state;
  d.time = d.timer_time.emplace(due.time);
  add_dead_letter(d);
  return {};
}

}  // namespace kappa::detail
