// What a host does with the tasks of an app, one call at a time.
#include <algorithm>

#include <fmt/format.h>

#include "sim/life.hpp"

namespace kappa::sim {

namespace fs = std::filesystem;

// Calls into the engine: false when the process ended in it.
template <class F>
bool life::survives(F f) {
  crashed_ = false;
  fault_met_ = false;
  try {
    f();
  } catch (const finding&) {
    throw;
  } catch (...) {
    if (!crashed_) throw;
  }
  return !crashed_;
}

life::sim_task& life::any_task(owner& o) {
  const auto n = dice_.upto(static_cast<int>(o.tasks.size()));
  return std::next(o.tasks.begin(), n)->second;
}

bool life::open_owner() {
  auto o = std::make_unique<owner>();
  o->number = ++owners_;
  tell(fmt::format("owner {} starts", o->number));
  has_taken_app_ = false;
  result<void> opened;
  const bool alive = survives([&] {
    o->lane = std::make_unique<commit_lane>(
        log_, writer_options{app_name, fmt::format("owner {}", o->number)});
    opened = o->lane->open();
    if (!opened) return;
    has_taken_app_ = true;
    for (const auto& [id, versions] : model_->tasks()) {
      opened = open_task_of(*o, id);
      if (!opened) return;
    }
  });
  if (alive && opened) {
    owner_ = std::move(o);
    return true;
  }
  if (alive && !fault_met_) wrong("the app does not start: " + opened.error().text());
  tell(alive ? "    it does not start: " + opened.error().text() : "    it ended while it started");
  return false;
}

// Refused, because what the state needs was removed: the operator puts back what he had.
void life::restore_from_backup(const stage_and_partition& id) {
  const auto where = folder_of(id);
  const auto from = folder_ / "backup" / fs::relative(where, folder_ / "state");
  fs::remove_all(where);
  if (fs::exists(from)) fs::copy(from, where, fs::copy_options::recursive);
  stored_[id] = backed_up_.at(id);
}

bool life::refusal_is_right(const stage_and_partition& id) const {
  const auto& s = model_->stage_of(id.first);
  if (s.spec.source || model_->last(id).epoch == epoch_number{0}) return false;
  const auto& stored = stored_.at(id);
  for (std::size_t i = 0; i < s.inputs.size(); ++i) {
    const auto removed = removed_before_.find({s.spec.inputs[i].topic, partition{id.second}});
    if (removed == removed_before_.end()) continue;
    const auto from = stored ? (*stored)[i] : model_->at(id, epoch_number{0}).positions[i];
    if (from < removed->second) return true;
  }
  return false;
}

result<void> life::open_task_of(owner& o, const stage_and_partition& id) {
  const auto& s = model_->stage_of(id.first);
  const auto open = [&]() -> result<std::unique_ptr<runnable_task>> {
    if (s.spec.source) {
      source_task_options so;
      so.topology = topology_;
      so.stage = id.first;
      so.log = log_;
      so.layout = layout_.at(id.first);
      so.limits = plan_.limits;
      so.clock = [this] { return now_; };
      return open_source_task(std::move(so));
    }
    task_options to;
    to.topology = topology_;
    to.stage = id.first;
    to.partition = partition{id.second};
    to.log = log_;
    to.layout = layout_.at(id.first);
    to.state_folder = folder_of(id);
    to.limits = plan_.limits;
    to.until_end = until_end_;
    to.clock = [this] { return now_; };
    return open_task(std::move(to));
  };
  if (overtaken_) overtaken_->perhaps_lost.insert(id);
  auto task = open();
  const bool must_refuse = refusal_is_right(id);
  if (must_refuse && (task || !fault_met_)) {
    if (task || task.error().code != errc::refused_start)
      wrong(fmt::format("{}[{}] must be refused: what its state needs was removed", id.first,
                        id.second));
    tell(fmt::format("    {}[{}] is refused: {}", id.first, id.second, task.error().text()));
    ++stats_.refused_starts;
    restore_from_backup(id);
    task = open();
  }
  if (!task) return fail(task.error());
  if (overtaken_) overtaken_->lost.insert(id);
  o.tasks.insert_or_assign(id, sim_task{std::move(*task), id, model_->last(id).epoch});
  return {};
}

// The process ends: nothing is closed, nothing is saved.
void life::kill(std::unique_ptr<owner>& o) {
  if (!o) return;
  tell(fmt::format("owner {} ends", o->number));
  ++stats_.crashes;
  o.reset();
}

void life::failed(owner& o, const std::optional<stage_and_partition>& id, const error& e) {
  if (o.overtaken && e.code == errc::fenced) {
    tell(fmt::format("    owner {} is fenced", o.number));
    ++stats_.fenced;
    o.lane.reset();
    return;
  }
  if (!fault_met_) wrong(e.text());
  tell("    failed: " + e.text());
  if (id && !o.in_doubt) {
    fail_task(o, *id);
  } else {
    o.lane.reset();
  }
}

// Owners whose lane is gone have ended.
void life::bury() {
  if (owner_ && !owner_->lane) kill(owner_);
  if (overtaken_ && !overtaken_->lane) kill(overtaken_);
}

void life::run_task(owner& o, sim_task& t, std::size_t budget) {
  result<run_status> status;
  if (!survives([&] { status = t.task->run(budget); })) {
    o.lane.reset();
    return;
  }
  if (!status) return failed(o, t.id, status.error());
  if (status->steps == 0) return;
  tell(fmt::format("  {}: {}[{}] runs {} steps{}", o.number, t.id.first, t.id.second, status->steps,
                   status->blocked ? ", blocked" : ""));
}

void life::close_task(owner& o, sim_task& t, bool final) {
  if (t.task->in_flight() >= plan_.limits.max_epochs_in_flight) return;
  result<epoch_ptr> closed;
  if (!survives([&] { closed = t.task->close(now_, final); })) {
    o.lane.reset();
    return;
  }
  if (!closed) return failed(o, t.id, closed.error());
  if (*closed == nullptr) return;
  tell(fmt::format("  {}: {}[{}] closes epoch {}", o.number, t.id.first, t.id.second,
                   (*closed)->number));
  o.waiting.push_back({t.id, *closed});
}

void life::flush(owner& o) {
  if (o.waiting.empty()) return;
  std::vector<epoch_ptr> epochs;
  for (const auto& w : o.waiting) epochs.push_back(w.epoch);
  tell(fmt::format("  {}: commits {} epochs", o.number, epochs.size()));
  result<std::vector<std::vector<offset>>> bases;
  if (!survives([&] { bases = o.lane->commit(epochs); })) {
    o.lane.reset();
    return;
  }
  if (!bases) {
    const auto& e = bases.error();
    o.in_doubt = o.in_doubt || log_->in_doubt() || e.code == errc::indefinite;
    if (o.overtaken && (e.code == errc::fenced || e.code == errc::owned))
      return failed(o, std::nullopt, {errc::fenced, e.subject, e.message});
    if (!fault_met_) wrong(e.text());
    tell("    not committed: " + e.text());
    if (!e.retriable) o.lane.reset();
    return;
  }
  if (o.overtaken) wrong("an owner that was overtaken has committed");
  o.in_doubt = false;
  for (std::size_t i = 0; i < epochs.size(); ++i) {
    const auto at = o.tasks.find(o.waiting[i].of);
    if (at == o.tasks.end()) continue;
    at->second.task->committed(epochs[i]->number, (*bases)[i]);
    at->second.told = epochs[i]->number;
  }
  o.waiting.clear();
}

// T2, in three moves: it begins, it is written, the task hears of it.
void life::snapshot(owner& o, sim_task& t) {
  if (t.task->store() == nullptr) return;
  if (t.delta_written) {
    t.delta.reset();
    t.delta_written = false;
    t.task->snapshot_done();
    return;
  }
  if (!t.delta) {
    t.delta = t.task->snapshot_ready();
    if (!t.delta) return;
    tell(fmt::format("  {}: {}[{}] begins the T2 of epoch {}", o.number, t.id.first, t.id.second,
                     t.delta->epoch));
    check_delta(t);
    return;
  }
  if (faults_on_ && faults_.snapshot_failures && dice_.one_in(3)) return;  // tried again later
  result<void> committed;
  const bool alive = survives([&] { committed = t.task->store()->commit(*t.delta); });
  if (alive && !committed) {
    if (o.overtaken && !o.perhaps_lost.contains(t.id)) wrong(committed.error().text());
    return failed(o, std::nullopt, committed.error());
  }
  if (alive && o.lost.contains(t.id)) wrong("an owner that was overtaken has written a snapshot");
  // A process that ends in a T2 may have written it.
  if (alive || crashed_at_ == "state.after_commit")
    stored_[t.id] = decode_snapshot(t.delta->snapshot)->positions;
  if (!alive) {
    o.lane.reset();
    return;
  }
  ++stats_.snapshots;
  state_moved_on_ = true;
  tell(fmt::format("  {}: {}[{}] has written the T2 of epoch {}", o.number, t.id.first, t.id.second,
                   t.delta->epoch));
  check_stored(t);
  t.delta_written = true;
}

// It is dropped, with what it had closed, and opened anew; the others go on.
void life::fail_task(owner& o, stage_and_partition id) {
  tell(fmt::format("  {}: {}[{}] is opened anew", o.number, id.first, id.second));
  ++stats_.task_failures;
  std::erase_if(o.waiting, [&](const waiting_epoch& w) { return w.of == id; });
  o.tasks.erase(id);
  result<void> opened;
  if (o.overtaken) {  // its state is the other's
    o.lane.reset();
    return;
  }
  if (!survives([&] { opened = open_task_of(o, id); })) {
    o.lane.reset();
    return;
  }
  if (opened) return;
  if (!fault_met_) wrong(opened.error().text());
  tell("    " + opened.error().text());
  o.lane.reset();
}

}  // namespace kappa::sim
