#include <algorithm>

#include <fmt/format.h>

#include "kappa/core/failpoint.hpp"
#include "kappa/log/for_each_record.hpp"
#include "kappa/task/savepoints.hpp"
#include "task/task_impl.hpp"

namespace kappa {

result<std::unique_ptr<runnable_task>> open_task(task_options options) {
  if (options.topology->find(options.stage) == nullptr) {
    return fail(errc::not_found, options.stage, "no such stage");
  }
  auto t = std::make_unique<detail::task_impl>(std::move(options));
  if (auto opened = t->open(); !opened) return fail(opened.error());
  return std::unique_ptr<runnable_task>{std::move(t)};
}

result<void> check_rebuild(task_options options) {
  if (options.topology->find(options.stage) == nullptr) {
    return fail(errc::not_found, options.stage, "no such stage");
  }
  return detail::task_impl{std::move(options)}.check_rebuild();
}

namespace detail {
namespace {

constexpr std::size_t script_chunk = 1024;  // epoch records in memory

}  // namespace

task_impl::task_impl(task_options options)
    : options_{std::move(options)},
      stage_{options_.topology->find(options_.stage)},
      id_{stage_->app, stage_->name, stage_->generation, options_.partition},
      several_inputs_{stage_->inputs.size() > 1},
      builder_{id_, options_.layout.ports, options_.topology->dead_letters_topic(),
               options_.layout.routes} {}

void task_impl::close_store() {
  tables_.clear();
  step_tables_.clear();
  program_ = {};
  table_.reset();
  closing_.reset();
  timers_.reset();
  store_.reset();
}

result<void> task_impl::open_store(bool fresh) {
  if (fresh) {
    close_store();
    if (auto erased = erase_state(options_.state_folder); !erased) return fail(erased.error());
  }
  state_store_options so;
  so.folder = options_.state_folder;
  so.identity = {id_.app,       id_.stage,     id_.generation,
                 id_.partition, log_identity_, stage_->fingerprint};
  if (stage_->state) so.tables.push_back({*stage_->state, stage_->state_schema});
  const schema_info none{"none", 0, 0, "none", nullptr};
  so.tables.push_back({"timers.closing", none});
  so.tables.push_back({"timers", none});
  auto store = state_store::open(so);
  if (!store) return fail(store.error());
  store_ = std::move(*store);
  std::size_t next = 0;
  if (stage_->state) {
    table_ = options_.topology->make_table(*stage_, *store_, next++, {options_.limits.cache_bytes});
    tables_.push_back(table_.get());
  }
  closing_ = timer_table::create(*store_, next++);
  timers_ = timer_table::create(*store_, next++);
  tables_.push_back(closing_.get());
  tables_.push_back(timers_.get());
  program_ = options_.topology->make_program(*stage_, table_.get());
  step_tables_ = tables_;
  has_timers_ = std::any_of(program_.timers.begin(), program_.timers.end(),
                            [](const auto* op) { return op != nullptr; });
  if (!has_timers_) step_tables_.resize(tables_.size() - 2);
  ctx_.out = &builder_;
  ctx_.closing_timers = closing_.get();
  ctx_.timers = timers_.get();
  look_at_store();
  return {};
}

result<epoch_record> task_impl::epoch_record_of(const record_view& r) const {
  auto record = decode_epoch_record(r.value.value_or(bytes_view{}));
  if (record && record->inputs.size() == stage_->inputs.size()) return std::move(*record);
  return fail(errc::corrupt,
              fmt::format("{}[{}]@{}", stage_->epochs_topic(), id_.partition, r.offset),
              "malformed epoch record");
}

// The birth record (first of the partition), and what must be known of all epoch records from
// epochs_next_ on before the first is replayed. There may be very many: they are read again, some
// at a time, while they are replayed.
result<void> task_impl::read_epochs_topic(std::optional<birth_record>& birth) {
  const topic_partition where{stage_->epochs_topic(), id_.partition};
  auto bounds = options_.log->bounds(where);
  if (!bounds) return fail(bounds.error());
  script_.clear();
  failed_records_.clear();
  failed_timers_.clear();
  replay_up_to_.reset();
  last_in_script_.reset();
  script_next_ = std::max(epochs_next_, bounds->earliest);
  // All that was committed is in front of it: positions and these records are one transaction, but
  // on Kafka they do not become visible together.
  auto end = options_.log->settled_end(where);
  if (!end) return fail(end.error());
  script_end_ = *end;
  auto found = for_each_record(
      *options_.log, where, bounds->earliest, [&](const record_view& r) -> result<bool> {
        const auto value = r.value.value_or(bytes_view{});
        if (!is_birth(value)) return true;
        birth = decode_birth(value);
        if (birth) return false;
        return fail(errc::corrupt, fmt::format("{}@{}", where.text(), r.offset),
                    "malformed birth record");
      });
  if (!found) return fail(found.error());
  auto looked_ahead = for_each_record(
      *options_.log, where, script_next_, [&](const record_view& r) -> result<bool> {
        if (is_birth(r.value.value_or(bytes_view{}))) return true;
        auto record = epoch_record_of(r);
        if (!record) return fail(record.error());
        if (script_up_to_ && record->number > *script_up_to_) {
          script_end_ = r.offset;
          return false;
        }
        for (const auto& f : record->failed_records) failed_records_.insert({f.input, f.offset});
        failed_timers_.insert(record->failed_timers.begin(), record->failed_timers.end());
        last_in_script_ = record->number;
        replay_up_to_ = std::move(record->fired_up_to);
        return true;
      });
  if (!looked_ahead) return fail(looked_ahead.error());
  return read_more_script();
}

result<void> task_impl::read_more_script() {
  if (script_next_ >= script_end_) return {};
  const auto enough = script_.size() + script_chunk;
  auto next = for_each_record(*options_.log, {stage_->epochs_topic(), id_.partition}, script_next_,
                              [&](const record_view& r) -> result<bool> {
                                if (r.offset >= script_end_) return false;
                                if (is_birth(r.value.value_or(bytes_view{}))) return true;
                                auto record = epoch_record_of(r);
                                if (!record) return fail(record.error());
                                script_.push_back({std::move(*record), r.offset});
                                return script_.size() < enough && r.offset + 1 < script_end_;
                              });
  if (!next) return fail(next.error());
  script_next_ = *next;
  return {};
}

result<void> task_impl::identify_log() {
  std::vector<std::string> topics{stage_->epochs_topic()};
  for (const auto& in : stage_->inputs) topics.push_back(in.topic);
  auto identity = options_.log->identity(topics);
  if (!identity) return fail(identity.error());
  log_identity_ = std::move(*identity);
  return {};
}

// As an opening without a state would find it. The task cannot be opened afterwards.
result<void> task_impl::check_rebuild() {
  if (auto identified = identify_log(); !identified) return identified;
  epochs_next_ = offset{INT64_MAX};  // nothing of the epochs topic but the birth record
  auto facts = find_facts(std::nullopt);
  if (!facts) return fail(facts.error());
  if (!facts->birth) {
    return fail(errc::refused_start, id_.text(),
                "it has committed nothing yet: there is nothing to rebuild the state from");
  }
  auto plan = plan_recovery(*facts);
  if (!plan) return fail(plan.error());
  return {};
}

// The state, and what its last snapshot says.
result<std::optional<snapshot_record>> task_impl::open_state() {
  if (options_.gives_way && options_.gives_way())
    return fail(errc::stopped, id_.text(), "its state is wanted here");
  if (auto opened = open_store(false); !opened) return fail(opened.error());
  std::optional<snapshot_record> snapshot;
  const auto raw = store_->snapshot();
  if (!raw) return snapshot;
  snapshot = decode_snapshot(*raw);
  if (!snapshot || snapshot->epoch != store_->epoch()) {
    return fail(errc::corrupt, id_.text(),
                "the state's snapshot record is malformed; delete the state folder to rebuild it");
  }
  epochs_next_ = snapshot->epochs_next;
  return snapshot;
}

result<recovery_facts> task_impl::find_facts(const std::optional<snapshot_record>& snapshot) {
  recovery_facts facts;
  facts.task = id_;
  facts.log_id = log_identity_;
  facts.rebuildable = options_.rebuildable;
  facts.adopt_state_position = options_.adopt_state_position;
  if (snapshot) {
    facts.state_log_id = facts.log_id;  // the store has compared it
    facts.state_epoch = snapshot->epoch;
    facts.state_rebuild = snapshot->rebuild;
  }
  // Before the epochs topic: where the task goes on elsewhere, its records tell by their numbers
  // what was committed meanwhile. (Several inputs' positions may be of two epochs then: their
  // records say how far to go.)
  if (auto found = find_committed(facts); !found) return fail(found.error());
  if (options_.standby) script_up_to_ = facts.committed_epoch;
  if (auto read = read_epochs_topic(facts.birth); !read) return fail(read.error());
  for (std::size_t i = 0; i < stage_->inputs.size(); ++i) {
    const auto& spec = stage_->inputs[i];
    auto& in = facts.inputs[i];
    if (snapshot) {
      if (i >= snapshot->inputs.size() || snapshot->inputs[i] != spec.topic) {
        return fail(errc::incompatible, id_.text(),
                    "the state is of other inputs: use a new generation");
      }
      in.in_state = snapshot->positions[i];
    }
    auto bounds = options_.log->bounds({spec.topic, id_.partition});
    if (!bounds) return fail(bounds.error());
    in.first = bounds->earliest;
    in.latest = bounds->latest;
    if (const auto at = options_.start_from.find(spec.topic); at != options_.start_from.end()) {
      in.start_from = at->second;
    } else if (spec.start == start_at::latest) {
      in.start_from = in.latest;
    }
  }
  return facts;
}

result<void> task_impl::find_committed(recovery_facts& facts) {
  for (const auto& spec : stage_->inputs) {
    input_facts in;
    in.name = spec.topic;
    auto position =
        options_.log->position({id_.app, id_.stage, id_.generation, id_.partition, spec.topic});
    if (!position) return fail(position.error());
    if (*position) {
      in.committed = (*position)->next;
      const auto meta = decode_metadata((*position)->metadata);
      if (!meta)
        return fail(errc::corrupt, id_.text() + " input " + spec.topic,
                    "malformed position metadata");
      facts.committed_epoch = std::max(facts.committed_epoch.value_or(epoch_number{}), meta->epoch);
      facts.rebuild_ordered = std::max(facts.rebuild_ordered, meta->rebuild_ordered);
      facts.rebuild_done = std::max(facts.rebuild_done, meta->rebuild_done);
    } else if (options_.standby) {
      return fail(errc::not_found, id_.text(), "it has committed nothing yet");
    }
    facts.inputs.push_back(std::move(in));
  }
  return {};
}

// Where there is no state, or one that the log can no longer catch up; any other refusal stands.
// One that does not fit, or is damaged, is as good as none.
result<bool> task_impl::bring_savepoint(const recovery_facts& facts) {
  if (!options_.savepoints || options_.standby || !facts.birth) return false;
  const bool too_old = std::any_of(facts.inputs.begin(), facts.inputs.end(), [](const auto& in) {
    return in.in_state && *in.in_state < in.first;
  });
  const bool outdated = facts.state_rebuild < facts.rebuild_ordered;
  if (facts.state_log_id && !too_old && !outdated) return false;
  for (;;) {
    auto found = newest_usable(*options_.savepoints, facts);
    if (!found) return fail(found.error());
    if (!*found) break;
    close_store();
    auto brought = kappa::bring_savepoint(*options_.savepoints, **found, options_.state_folder);
    if (brought) {
      options_.log_to(log_level::info, "state from a savepoint",
                      {{"task", name_},
                       {"epoch", std::to_string((*found)->epoch.value)},
                       {"of", options_.savepoints->name()}});
      return true;
    }
    options_.log_to(log_level::warning, "a savepoint cannot be used",
                    {{"task", name_}, {"error", brought.error().text()}});
    if (brought.error().code != errc::corrupt && brought.error().code != errc::not_found)
      return fail(brought.error());
    // Gone, so that the one before it is found.
    if (auto removed = options_.savepoints->remove(**found); !removed) return fail(removed.error());
  }
  if (!store_) {
    if (auto opened = open_store(false); !opened) return fail(opened.error());
  }
  return false;
}

// As open_state, of what was brought. It may be of another version of the app, which is no reason
// not to start: a state can be built from the log.
result<std::optional<snapshot_record>> task_impl::open_brought() {
  auto state = open_state();
  if (state || state.error().code != errc::incompatible) return state;
  options_.log_to(log_level::warning, "a savepoint cannot be used",
                  {{"task", name_}, {"error", state.error().text()}});
  if (auto fresh = open_store(true); !fresh) return fail(fresh.error());
  epochs_next_ = offset{0};
  return std::optional<snapshot_record>{};
}

result<void> task_impl::open_inputs(const recovery_facts& facts) {
  for (std::size_t i = 0; i < stage_->inputs.size(); ++i) {
    const auto& spec = stage_->inputs[i];
    const topic_partition where{spec.topic, id_.partition};
    auto reader = options_.log->open_reader(where);
    if (!reader) return fail(reader.error());
    auto clock =
        spec.internal ? input_clock::internal(options_.layout.writers[i]) : input_clock::outside();
    inputs_.push_back(std::make_unique<task_input>(spec, where, std::move(*reader),
                                                   std::move(clock), options_.limits.read_bytes));
    if (options_.until_end && !spec.internal && !spec.of_aggregate)
      inputs_.back()->end_bound = facts.inputs[i].latest;
  }
  return {};
}

result<void> task_impl::open() {
  if (auto identified = identify_log(); !identified) return identified;
  auto state = open_state();
  if (!state) return fail(state.error());
  auto& snapshot = *state;
  auto found = find_facts(snapshot);
  if (!found) return fail(found.error());
  auto& facts = *found;
  {
    auto brought = bring_savepoint(facts);
    if (!brought) return fail(brought.error());
    if (*brought) {
      state = open_brought();
      if (!state) return fail(state.error());
      found = find_facts(snapshot);
      if (!found) return fail(found.error());
    }
  }
  if (auto opened = open_inputs(facts); !opened) return opened;

  if (failpoint::broken("t2-before-t1")) {
    for (auto& in : facts.inputs) {
      if (in.in_state && in.committed && *in.in_state > *in.committed) in.committed = in.in_state;
    }
    // As if they had been committed: a later epoch of the same number would end the process, and
    // what was lost would never be looked at.
    if (facts.state_epoch && facts.committed_epoch)
      facts.committed_epoch = std::max(*facts.committed_epoch, *facts.state_epoch);
  }
  auto plan = plan_recovery(facts);
  if (!plan) return fail(plan.error());
  failpoint::hit("recover.plan");
  if (auto good = check_adopted(facts, snapshot); !good) return good;

  if (plan->from_empty_state && snapshot) {
    if (options_.standby) {  // the folder may be the task's own by now
      return fail(errc::refused_start, id_.text(),
                  "its old state cannot be caught up, and is built anew once the task comes here");
    }
    if (auto fresh = open_store(true); !fresh) return fresh;
    snapshot.reset();
    epochs_next_ = offset{0};
    std::optional<birth_record> again;
    if (auto read = read_epochs_topic(again); !read) return read;
  }

  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    inputs_[i]->start_at(plan->inputs[i].replay_from);
    inputs_[i]->from = inputs_[i]->next();
    if (auto s = inputs_[i]->reader().start(inputs_[i]->next()); !s) return fail(s.error());
    live_from_.push_back(plan->inputs[i].live_from);
    counters_.replay_total += static_cast<std::uint64_t>(live_from_[i] - inputs_[i]->next());
  }
  built_for_ = snapshot ? snapshot->rebuild : facts.rebuild_ordered;
  order_ = committed_order_ = std::max(facts.rebuild_ordered, built_for_);
  flag_at_once_ = built_for_ > facts.rebuild_done;  // told with the first epoch
  durable_positions_ = live_from_;
  last_epoch_ = std::max({facts.committed_epoch.value_or(epoch_number{}),
                          facts.state_epoch.value_or(epoch_number{}), epoch_number{1}});
  if (plan->first_start) {
    last_epoch_ = epoch_number{0};
    birth_record birth;
    birth.fingerprint = stage_->fingerprint;
    birth.log_id = log_identity_;
    for (const auto& in : inputs_) {
      birth.inputs.push_back(in->spec().topic);
      birth.starts.push_back(in->next());
    }
    birth_to_write_ = std::move(birth);
    // Where it began must be known from here on, also when nothing comes before it dies.
    flag_at_once_ = std::any_of(inputs_.begin(), inputs_.end(), [](const auto& in) {
      return in->spec().start == start_at::latest;
    });
  }
  if (snapshot) {
    byte_reader r{snapshot->clocks};
    for (auto& in : inputs_) {
      if (!in->clock().decode(r)) {
        return fail(errc::incompatible, id_.text(),
                    "the state's clocks are of other upstream tasks: use a new generation");
      }
      in->order = timestamp{milliseconds{r.get<std::int64_t>()}};
    }
    if (!r.done()) return fail(errc::corrupt, id_.text(), "the state's clocks are malformed");
    real_watermark_ = snapshot->real_watermark;
    late_base_ = snapshot->late_records;
  }
  update_watermark();
  check_timers_ = true;
  last_snapshot_at_ = options_.clock();
  ctx_.muted = !failpoint::broken("no-muted-gap");
  const bool nothing =
      script_.empty() && replay_bounds_reached() && !(snapshot && snapshot->replaying);
  if (nothing && !counters_.replay_total) return go_live();
  return {};
}

// --adopt-state-position believes that nothing ran after the state was saved: refused when the
// epochs topic tells otherwise.
result<void> task_impl::check_adopted(const recovery_facts& facts,
                                      const std::optional<snapshot_record>& snapshot) const {
  for (const auto& in : facts.inputs) {
    if (in.committed || !in.in_state || !snapshot) continue;
    const bool ran_on =
        snapshot->replaying || (last_in_script_ && *last_in_script_ > snapshot->epoch);
    if (!ran_on) continue;
    return fail(
        errc::refused_start, fmt::format("{} input {}", id_.text(), in.name),
        fmt::format(
            "the state is of epoch {} and cannot be adopted: {} has later epochs; restore a "
            "later state, or start over with --fresh",
            snapshot->epoch, stage_->epochs_topic()));
  }
  return {};
}

result<void> task_impl::go_live() {
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    auto& in = *inputs_[i];
    in.skip_to(live_from_[i]);
    if (in.spec().internal || !in.clock().ended()) continue;
    auto bounds = options_.log->bounds(in.where());
    if (!bounds) return fail(bounds.error());
    if (bounds->latest <= in.next()) continue;
    if (options_.until_end) {  // what it was declared to end at still stands; the host decides
      in.end_bound = in.next();
      counters_.behind_end += static_cast<std::uint64_t>(bounds->latest - in.next());
    } else {
      return fail(errc::refused_start, fmt::format("{} input {}", id_.text(), in.where().text()),
                  "it was declared ended (--until-end) and has grown since; its windows are "
                  "closed: start over "
                  "with --fresh, or use a new generation");
    }
  }
  epochs_next_ = std::max(epochs_next_, script_end_);
  script_.clear();
  script_next_ = script_end_;
  failed_records_.clear();
  failed_timers_.clear();
  replay_up_to_.reset();
  phase_ = task_phase::live;
  ctx_.muted = false;
  if (flag_advance_) advance_event_time(*flag_advance_);
  check_timers_ = true;
  const auto now = options_.clock();
  for (auto& in : inputs_) {
    in->last_record_at = now;
    in->bound = offset{INT64_MAX};
  }
  for (auto* t : tables_) t->durable(table_epoch(last_epoch_));
  if (!birth_to_write_) {  // what the last T1 said need not be said again
    const auto due = due_timer();
    began_between_timers_ = due && due->has_value();
    if (auto m = current_marker()) last_marker_ = std::move(*m);
  }
  durable_through_ = through_now();
  failpoint::hit("recover.live");
  return {};
}

result<std::vector<std::unique_ptr<subscription>>> task_impl::subscribe(
    std::function<void()> on_data) {
  std::vector<std::unique_ptr<subscription>> all;
  for (const auto& in : inputs_) {
    auto s = in->reader().subscribe(on_data);
    if (!s) return fail(s.error());
    all.push_back(std::move(*s));
  }
  return all;
}

}  // namespace detail
}  // namespace kappa
