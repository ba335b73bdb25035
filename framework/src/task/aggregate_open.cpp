// Which events the state lacks, and how it comes by them.
#include <algorithm>

#include <fmt/format.h>

#include "kappa/aggregate/event_header.hpp"
#include "kappa/core/failpoint.hpp"
#include "task/aggregate_impl.hpp"

namespace kappa::detail {

result<void> aggregate_task::find_place_and_open() {
  auto identity = options_.log->identity({options_.events_topic});
  if (!identity) return fail(identity.error());
  const auto& id = options_.id;
  state_store_options so;
  so.folder = options_.state_folder;
  so.identity = {id.app, id.stage, id.generation, id.partition, *identity, options_.fingerprint};
  so.tables.push_back({id.stage, options_.state_schema});
  auto store = state_store::open(so);
  if (!store) return fail(store.error());
  store_ = std::move(*store);
  states_ = options_.program->make_table(*store_, 0, {options_.limits.cache_bytes});
  if (auto stats = store_->stats()) counters_.state = *stats;

  std::optional<place> from;  // nothing: there is no state
  if (const auto raw = store_->snapshot()) {
    const auto snapshot = decode_snapshot(*raw);
    from = snapshot ? place_in(*snapshot) : std::nullopt;
    if (!from || snapshot->epoch != store_->epoch()) {
      return fail(errc::corrupt, name_,
                  "the state's snapshot record is malformed; delete the state folder to rebuild "
                  "it");
    }
    last_epoch_ = snapshot->epoch;
  }
  auto position = options_.log->position(position_of_events());
  if (!position) return fail(position.error());
  if (*position) {
    const auto meta = decode_metadata((*position)->metadata);
    if (!meta)
      return fail(errc::corrupt, name_, "the metadata of its committed position is malformed");
    last_epoch_ = std::max(last_epoch_, meta->epoch);
  }
  // After the position: whoever had the task before can write no more, and its last events are in
  // front of this end.
  auto end = options_.log->settled_end(where());
  if (!end) return fail(end.error());
  auto bounds = options_.log->bounds(where());
  if (!bounds) return fail(bounds.error());
  std::optional<offset> committed;
  if (*position) committed = (*position)->next;
  if (auto good = check_events(from, committed, *bounds, *end); !good) return good;
  durable_ = from.value_or(place{bounds->earliest, 0});
  next_ = read_next_ = durable_.base;
  to_skip_ = durable_.records;
  replay_to_ = std::max(*end, next_);
  counters_.replay_total = static_cast<std::uint64_t>(replay_to_ - next_);
  last_snapshot_at_ = options_.clock();
  failpoint::hit("recover.plan");
  if (next_ < replay_to_) {
    last_epoch_ = std::max(last_epoch_, epoch_number{1});  // tables begin with it
    auto reader = options_.log->open_reader(where());
    if (!reader) return fail(reader.error());
    reader_ = std::move(*reader);
    failpoint::hit("recover.replay");
    return {};
  }
  go_live();
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
  // An epoch that was committed has an event at least.
  if (committed && (*committed > end || bounds.earliest == end)) {
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
  events_come_.reset();
  reader_.reset();
  batch_ = {};
  cursor_ = {};
  phase_ = task_phase::live;
  failpoint::hit("recover.live");
}

result<run_status> aggregate_task::replay(std::size_t budget) {
  run_status status;
  status.replaying = true;
  status.blocked = too_dirty();
  bool waits = false;
  while (!status.blocked && status.steps < budget && next_ < replay_to_) {
    const auto* r = cursor_.peek();
    if (r == nullptr) {
      next_ = std::min(read_next_, replay_to_);  // over what is no record
      if (next_ == replay_to_) break;
      auto batch = reader_->read(read_next_, options_.limits.read_bytes);
      if (!batch) return fail(batch.error());
      waits = batch->next() == read_next_;  // on its way
      if (waits) break;
      read_next_ = batch->next();
      batch_ = std::move(*batch);
      cursor_ = read_batch::cursor{batch_};
      continue;
    }
    if (r->offset >= replay_to_) {
      next_ = replay_to_;
      break;
    }
    if (to_skip_ > 0) {
      --to_skip_;
    } else {
      if (auto done = replay_one(*r); !done) return fail(done.error());
      durable_ = {r->offset + 1, 0};
      ++counters_.replayed;
      changed_since_snapshot_ = true;
    }
    next_ = r->offset + 1;
    cursor_.pop();
    ++status.steps;
    if (states_->dirty_bytes() >= options_.limits.max_dirty_bytes) break;
  }
  states_->durable(table_epoch(last_epoch_));
  ++spent_epochs_;
  if (next_ >= replay_to_) {
    if (to_skip_ > 0) {
      return fail(errc::refused_start, name_,
                  fmt::format("{} lacks {} events that its state has seen: the log is not the "
                              "one that this state came from",
                              where().text(), to_skip_));
    }
    go_live();
  }
  status.more = !status.blocked && !waits;
  return status;
}

result<void> aggregate_task::replay_one(const record_view& r) {
  const auto at = [&] { return fmt::format("{}@{}", where().text(), r.offset); };
  const auto foreign = [&](std::string why) {
    return fail(errc::corrupt, at(),
                fmt::format("it is no event of {}: {}", options_.id.stage, std::move(why)));
  };
  if (!r.key || !r.value) return foreign("it has no key, or no value");
  const auto header = decode_event_header(r.headers);
  if (!header) return foreign(header.error().text());
  const auto told = decode_envelope(r.headers);
  if (!told) return foreign(told.error().text());
  if (!told->schema) return foreign("it does not say of which type it is");
  const auto kind = kinds_.find({told->schema->id, told->schema->name});
  if (kind == kinds_.end()) {
    return fail(errc::incompatible, at(),
                fmt::format("it is a {}, which this version of the aggregate does not know: run "
                            "the version that wrote it, or add the type to the protocol",
                            told->schema->name));
  }
  states_->begin_step(table_epoch(last_epoch_));
  auto done = caught(at(), [&] {
    return options_.program->apply(*states_, *r.key, kind->second, *r.value, header->version,
                                   r.time);
  });
  if (!done) {
    states_->rollback_step();
    auto e = done.error();
    e.message = fmt::format("{}: {}", at(), e.message);
    return fail(std::move(e));
  }
  states_->commit_step();
  return {};
}

}  // namespace kappa::detail
