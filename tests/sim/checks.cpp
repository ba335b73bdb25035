// What must hold, looked at from outside, while the app lives and at its end.
#include <algorithm>

#include <fmt/format.h>

#include "kappa/log/for_each_record.hpp"
#include "sim/life.hpp"

namespace kappa::sim {
namespace {

std::vector<std::string> lines_of(const task_version& v) {
  std::vector<std::string> all;
  for (const auto& [key, t] : v.table)
    all.push_back(fmt::format("{} = {}", printable(key, 4096), printable(encoded(t), 4096)));
  for (const bool forgets : {false, true}) {
    for (const auto& [time, op, key, f] : v.timers) {
      if (f != forgets) continue;
      all.push_back(fmt::format("{} {}", forgets ? "forget" : "close",
                                printable(encode_timer({time, op, key}), 4096)));
    }
  }
  return all;
}

std::string first_difference(const std::vector<std::string>& found,
                             const std::vector<std::string>& wanted) {
  for (std::size_t i = 0; i < std::max(found.size(), wanted.size()); ++i) {
    const std::string none = "nothing";
    const auto& a = i < found.size() ? found[i] : none;
    const auto& b = i < wanted.size() ? wanted[i] : none;
    if (a != b) return fmt::format("\n  is      {}\n  must be {}", a, b);
  }
  return {};
}

}  // namespace

void life::wrong(const std::string& what) const { throw finding{what}; }

// A committed read is the state as of the last epoch that the task knows to be durable.
void life::check_query(sim_task& t) {
  if (t.task->table() == nullptr) return;
  const auto where = t.task->read_at(read_level::committed);
  if (where.stale) return;
  ++stats_.queries;
  const auto& v = model_->at(t.id, t.told);
  if (where.positions != v.positions)
    wrong(fmt::format("{}[{}]: a query is answered as of other positions than epoch {}'s",
                      t.id.first, t.id.second, t.told));
  std::map<bytes, bytes> found;
  auto scanned = t.task->table()->scan_all(read_level::committed, [&](bytes_view k, bytes_view s) {
    found.emplace(k, s);
    return true;
  });
  if (!scanned) wrong(scanned.error().text());
  std::map<bytes, bytes> wanted;
  for (const auto& [key, state] : v.table) {
    wanted.emplace(key, encoded(state));
    auto one = t.task->table()->read(key, read_level::committed);
    if (!one) wrong(one.error().text());
    if (*one != encoded(state))
      wrong(fmt::format("{}[{}]: a query for {} sees another state than epoch {}'s", t.id.first,
                        t.id.second, printable(key), t.told));
  }
  if (found != wanted)
    wrong(fmt::format("{}[{}]: a scan sees another state than epoch {}'s", t.id.first, t.id.second,
                      t.told));
}

// T2 after T1, and everything in it as of one epoch.
void life::check_delta(const sim_task& t) {
  const auto& last = model_->last(t.id);
  if (t.delta->epoch > last.epoch)
    wrong(fmt::format("{}[{}]: the T2 of epoch {} begins before its T1", t.id.first, t.id.second,
                      t.delta->epoch));
  const auto s = decode_snapshot(t.delta->snapshot);
  if (!s) wrong("malformed snapshot record");
  if (s->replaying) return;
  const auto& v = model_->at(t.id, t.delta->epoch);
  if (s->positions != v.positions || s->late_records != v.late || s->real_watermark != v.watermark)
    wrong(
        fmt::format("{}[{}]: the snapshot of epoch {} has other positions, late records or "
                    "event time than the epoch ({} of {}, late {} of {}, {} of {})",
                    t.id.first, t.id.second, s->epoch, s->positions.front(), v.positions.front(),
                    s->late_records, v.late, s->real_watermark.time_since_epoch().count(),
                    v.watermark.time_since_epoch().count()));
}

void life::check_stored(sim_task& t) {
  auto& store = *t.task->store();
  if (decode_snapshot(*store.snapshot())->replaying) return;
  std::vector<std::string> found;
  const bool keyed = t.task->table() != nullptr;
  const auto dump = [&](std::size_t table, const char* what) {
    auto all = dump_table(store, table);
    if (!all) wrong(all.error().text());
    for (const auto& [key, value] : *all) {
      found.push_back(*what == '\0'
                          ? fmt::format("{} = {}", printable(key, 4096), printable(value, 4096))
                          : fmt::format("{} {}", what, printable(key, 4096)));
    }
  };
  if (keyed) dump(0, "");
  dump(keyed ? 1 : 0, "close");
  dump(keyed ? 2 : 1, "forget");
  const auto difference = first_difference(found, lines_of(model_->at(t.id, store.epoch())));
  if (!difference.empty())
    wrong(fmt::format("{}[{}]: the stored state of epoch {} differs{}", t.id.first, t.id.second,
                      store.epoch(), difference));
}

// Turns of all tasks until nothing is left to do.
void life::settle() {
  for (int turn = 0; !std::all_of(owner_->tasks.begin(), owner_->tasks.end(),
                                  [](const auto& t) { return t.second.task->finished(); });
       ++turn) {
    if (turn == 5000) wrong("it does not come to an end");
    for (auto& [id, t] : owner_->tasks) {
      run_task(*owner_, t, 100);
      if (t.task->should_close(now_)) close_task(*owner_, t, false);
      now_ += milliseconds{1};
    }
    flush(*owner_);
    for (auto& [id, t] : owner_->tasks) snapshot(*owner_, t);
    bury();
    if (!owner_) wrong("the app ended without a fault");
  }
}

void life::check_end() {
  for (auto& [id, t] : owner_->tasks) {
    const auto& s = model_->stage_of(id.first);
    const auto& v = model_->last(id);
    for (std::size_t i = 0; i < s.inputs.size(); ++i) {
      const bool all =
          s.spec.source
              ? v.positions[i].value == static_cast<std::int64_t>(rows_->rows.size())
              : [&] {
                  const auto& log = model_->records();
                  const auto at = log.find({s.spec.inputs[i].topic, partition{id.second}});
                  return at == log.end() || at->second.empty() ||
                         at->second.back().offset < v.positions[i];
                }();
      if (!all) wrong(fmt::format("{}[{}] has ended before its inputs", id.first, id.second));
      if (!v.clocks[i].ended())
        wrong(fmt::format("{}[{}] has ended, but not all of its inputs", id.first, id.second));
    }
    check_query(t);
    if (t.task->store() == nullptr) continue;
    if (t.task->progress().late_records != v.late) wrong("late records were miscounted");
    for (int i = 0; i < 4; ++i) {  // one may be on its way already
      close_task(*owner_, t, true);
      for (int move = 0; move < 3; ++move) snapshot(*owner_, t);
    }
    if (v.epoch != t.task->store()->epoch())
      wrong(fmt::format("{}[{}]: the last snapshot is of epoch {}, not {}", id.first, id.second,
                        t.task->store()->epoch(), v.epoch));
    check_stored(t);
  }
}

// The log still has what was appended, and nothing else.
void life::check_log() const {
  for (const auto& [tp, wanted] : model_->records()) {
    auto bounds = log_->memory().bounds(tp);
    if (!bounds) wrong("the log cannot be read");
    auto next = std::find_if(wanted.begin(), wanted.end(),
                             [&](const model_record& r) { return r.offset >= bounds->earliest; });
    auto read = for_each_record(
        log_->memory(), tp, bounds->earliest, [&](const record_view& r) -> result<bool> {
          if (next == wanted.end() || next->offset != r.offset || next->time != r.time ||
              (next->value ? std::optional<bytes_view>{*next->value} : std::nullopt) != r.value)
            wrong(fmt::format("{}@{} is not what was appended", tp.text(), r.offset));
          ++next;
          return true;
        });
    if (!read) wrong(read.error().text());
    if (next != wanted.end()) wrong(fmt::format("{}@{} is gone", tp.text(), next->offset));
  }
}

std::int64_t life::log_end() const {
  std::int64_t sum = 0;
  const auto topics = log_->memory().topics();
  for (const auto& t : *topics) {
    for (std::int32_t p = 0; p < t.partitions; ++p)
      sum += log_->memory().bounds({t.name, partition{p}})->latest.value;
  }
  return sum;
}

}  // namespace kappa::sim
