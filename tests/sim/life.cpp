#include "sim/life.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "kappa/core/failpoint.hpp"
#include "kappa/core/partitioner.hpp"
#include "kappa/task/local_runner.hpp"
#include "sim/epoch_execution.hpp"

namespace kappa::sim {

namespace fs = std::filesystem;

namespace {

struct ends_here {};  // thrown where the process ends

template <class T>
T must(result<T> r) {
  if (!r) throw finding{r.error().text()};
  return std::move(*r);
}

void copy_folder(const fs::path& from, const fs::path& to) {
  fs::remove_all(to);
  if (fs::exists(from)) {
    fs::create_directories(to.parent_path());
    fs::copy(from, to, fs::copy_options::recursive);
  }
}

}  // namespace

life::life(std::uint64_t seed, fs::path folder, trace_fn trace)
    : late_dice_{seed + 1},
      dice_{seed},
      plan_{draw_plan(seed)},
      folder_{std::move(folder)},
      trace_{std::move(trace)},
      now_{*parse_time("2001-01-01")} {
  fs::remove_all(folder_);
  fs::create_directories(folder_);
  topology_ = std::make_shared<topology>(must(topology::compile(make_app(plan_, rows_))));
  log_ = std::make_shared<faulty_log>(memory_log::create());
  layout_options lo;
  lo.partitions = plan_.partitions;
  lo.create_inputs = true;
  lo.max_record_bytes = max_record_bytes;
  layout_ = must(lay_out(*topology_, *log_, lo));
  model_ = std::make_unique<model>(plan_, *topology_, layout_);
  for (const auto& [id, versions] : model_->tasks()) stored_[id] = std::nullopt;
  draw_faults();
}

life::~life() {
  failpoint::set_observer({});
  overtaken_.reset();
  owner_.reset();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

// Each life has some kinds of faults only: what all of them together hide, one alone may show.
void life::draw_faults() {
  auto& f = faults_;
  for (bool* one : {&f.commits, &f.reads, &f.crashes, &f.failpoints, &f.state_loss, &f.old_copies,
                    &f.second_owner, &f.task_failures, &f.gaps, &f.retention, &f.advance,
                    &f.clock_jumps, &f.snapshot_failures})
    *one = dice_.one_in(2);
  f.late_reads = late_dice_.one_in(2);
  if (f.gaps && dice_.one_in(2)) log_->gap_after_commit = dice_.from_to(1, 2);

  log_->on_commit = [this](const log_transaction& tx, const std::vector<offset>& bases) {
    std::string text;
    for (const auto& m : tx.moves)
      text += fmt::format(" {}[{}]<-{}={}@e{}", m.key.stage, m.key.task, m.key.input, m.value.next,
                          decode_metadata(m.value.metadata)->epoch);
    tell("    T1:" + text);
    for (const auto& a : tx.appends) {
      if (!a.to.topic.ends_with(".epochs")) continue;
      a.records->for_each([&](const record_view& r) {
        tell(fmt::format("      {}: {}", a.to.text(), text_of_epochs_record(*r.value)));
      });
    }
    model_->committed(tx, bases);
  };
  log_->fate_of_commit = [this] {
    if (!faults_on_ || !faults_.commits || !dice_.one_in(4)) return commit_fate::good;
    const auto fate = static_cast<commit_fate>(dice_.from_to(1, 5));
    static constexpr const char* names[] = {"",     "aborted", "no_space",
                                            "lost", "applied", "on its way"};
    tell(fmt::format("    fault: commit {}", names[static_cast<int>(fate)]));
    if (fate >= commit_fate::lost) ++stats_.unknown_outcomes;
    fault_met_ = true;
    return fate;
  };
  log_->fails = [this](const std::string& what) {
    if (!faults_on_ || read_fails_in_ == 0 || --read_fails_in_ > 0) return false;
    tell("    fault: " + what);
    fault_met_ = true;
    return true;
  };
  log_->late = [this] { return faults_on_ && faults_.late_reads && late_dice_.one_in(3); };
  failpoint::set_observer([this](std::string_view name) {
    if (!faults_on_ || failpoint_in_ == 0 || --failpoint_in_ > 0) return;
    tell(fmt::format("    fault: the process ends at {}", name));
    crashed_ = true;
    crashed_at_ = name;
    throw ends_here{};
  });
  model_->set_may_end([this](const stage_and_partition&, const topic_partition& where, offset at) {
    return until_end_ && must(log_->memory().bounds(where)).latest == at;
  });
}

void life::tell(const std::string& what) {
  if (trace_) trace_(what);
}

fs::path life::folder_of(const stage_and_partition& id) const {
  const auto& spec = model_->stage_of(id.first).spec;
  return task_folder(folder_ / "state",
                     {spec.app, spec.name, spec.generation, partition{id.second}});
}

// ── what happens outside of the app ──

void life::append_some(int most) {
  for (auto n = dice_.some(most); n > 0; --n) append_one();
}

void life::append_one() {
  const int topics = static_cast<int>(plan_.outside.size()) + (plan_.source ? 1 : 0);
  const auto which = static_cast<std::size_t>(dice_.upto(topics));
  const bool to_source = which == plan_.outside.size();
  item i;
  static const std::vector<std::string> keys{"a",  "bb", "",  std::string{"\0x", 2},
                                             "ab", "ba", "c", "cc"};
  i.key = keys[static_cast<std::size_t>(plan_.seed % 2 == 0 ? dice_.upto(8) : dice_.skewed(8))];
  topic_partition to{to_source ? source_name : plan_.outside[which], partition{0}};
  if (!to_source) to.partition = partition_of(i.key, plan_.partitions);
  auto& clock = event_clock_.try_emplace(to, *parse_time("2001-01-01")).first->second;
  clock += milliseconds{dice_.upto(12 * 60'000)};
  i.at = clock - milliseconds{dice_.upto(15 * 60'000)};
  if (dice_.one_in(12)) i.at -= std::chrono::hours{dice_.upto(8)};
  if (dice_.one_in(300)) i.at += std::chrono::hours{24 * 365};
  if (dice_.one_in(400)) i.at = timestamp{milliseconds{-1}};  // before 1970
  i.id = next_id_++;
  i.value = dice_.from_to(1, 30);
  auto record_time = dice_.one_in(8) ? i.at + milliseconds{dice_.from_to(-60'000, 60'000)} : i.at;
  std::optional<bytes> value;
  switch (dice_.upto(30)) {
    case 0:
      i.value = bad_for_validate;
      break;
    case 1:
      i.value = bad_for_map;
      break;
    case 2:
      i.value = bad_for_state;
      break;
    case 3:
      i.value = too_large_for_topics;
      break;
    case 4:
      value = fmt::format("garbage {}", i.id);
      break;
    default:
      break;
  }
  if (!value) value = encoded(i);
  if (to_source) {
    rows_->rows.push_back(*value);
    model_->row_added(*value);
    return;
  }
  std::optional<bytes_view> body{*value};
  if (dice_.one_in(50)) body.reset();
  std::optional<bytes_view> key{i.key};
  if (dice_.one_in(50)) key.reset();
  record_batch batch;
  batch.add(record_time, key, body);
  const auto done = must(log_->append(to, batch, std::nullopt));
  model_->appended(to, done.base, batch);
}

void life::move_clock() {
  now_ +=
      milliseconds{dice_.one_in(3) && faults_.clock_jumps ? dice_.upto(600'000) : dice_.upto(1000)};
}

// Retention, but never of what is needed: what a state has behind it may go.
void life::remove_old() {
  const auto at = static_cast<std::size_t>(dice_.upto(static_cast<int>(stored_.size())));
  const auto& [id, positions] = *std::next(stored_.begin(), static_cast<std::ptrdiff_t>(at));
  if (!positions) return;
  const auto& s = model_->stage_of(id.first);
  for (std::size_t i = 0; i < s.inputs.size(); ++i) {
    if (s.inputs[i].kind != input_kind::outside) continue;
    const topic_partition tp{s.inputs[i].name, partition{id.second}};
    const auto up_to = (*positions)[i];
    const auto from = removed_before_[tp];
    if (up_to <= from) continue;
    const auto first = from + dice_.from_to(1, static_cast<int>(up_to - from));
    tell(fmt::format("  retention: {} begins at {}", tp.text(), first));
    log_->memory().truncate_before(tp, first);
    removed_before_[tp] = first;
  }
}

void life::leave_gap() {
  std::vector<topic_partition> all;
  for (const auto& t : must(log_->topics())) {
    if (until_end_ && t.owner.empty()) continue;
    for (std::int32_t p = 0; p < t.partitions; ++p) all.push_back({t.name, partition{p}});
  }
  const auto& tp = all[static_cast<std::size_t>(dice_.upto(static_cast<int>(all.size())))];
  const int n = dice_.from_to(1, 3);
  tell(fmt::format("  {} unused offsets in {}", n, tp.text()));
  log_->memory().skip_offsets(tp, n);
}

// ── what happens to state folders; nobody may have them open ──

void life::copy_state() {
  if (owner_ || overtaken_) return;
  tell("  the state folders are copied");
  copy_folder(folder_ / "state", folder_ / "copy");
  copied_ = stored_;
}

void life::lose_state() {
  if (owner_ || overtaken_) return;
  for (auto& [id, positions] : stored_) {
    // Not what could not be put back.
    if (!dice_.one_in(2) || !positions || refusal_is_right(id)) continue;
    const auto where = folder_of(id);
    const bool old_copy = faults_.old_copies && !copied_.empty() && dice_.one_in(2);
    if (!old_copy && !faults_.state_loss) continue;
    copy_folder(where, folder_ / "backup" / fs::relative(where, folder_ / "state"));
    backed_up_[id] = positions;
    fs::remove_all(where);
    tell(fmt::format("  {}[{}]: {}", id.first, id.second,
                     old_copy ? "the state is an old copy" : "the state is lost"));
    if (old_copy) {
      copy_folder(folder_ / "copy" / fs::relative(where, folder_ / "state"), where);
      positions = copied_.at(id);
    } else {
      positions.reset();
    }
  }
}

// Another process takes the app while the first one goes on, knowing nothing of it.
void life::overtake() {
  if (!owner_) return;
  tell(fmt::format("  owner {} is overtaken", owner_->number));
  kill(overtaken_);
  owner_->overtaken = true;
  state_moved_on_ = false;
  overtaken_ = std::move(owner_);
  log_->memory().lose_lock(app_name);
  if (open_owner() || has_taken_app_) return;
  tell("  it does not even take the app");
  owner_ = std::move(overtaken_);
  owner_->overtaken = false;
}

// ── the life ──

void life::begin() {
  tell(describe(plan_));
  append_some(20);
  if (!faults_.retention || !dice_.one_in(2)) return;
  for (const auto& topic : plan_.outside) {  // retention before the first start
    for (std::int32_t p = 0; p < plan_.partitions; ++p) {
      const topic_partition tp{topic, partition{p}};
      const auto latest = must(log_->memory().bounds(tp)).latest;
      if (latest.value < 2) continue;
      removed_before_[tp] = offset{dice_.upto(static_cast<int>(latest.value))};
      log_->memory().truncate_before(tp, removed_before_[tp]);
      model_->begins_at(tp, removed_before_[tp]);
    }
  }
}

void life::step() {
  ++stats_.steps;
  if (faults_.failpoints && failpoint_in_ == 0 && dice_.one_in(40))
    failpoint_in_ = dice_.from_to(1, 60);
  if (faults_.reads && read_fails_in_ == 0 && dice_.one_in(30))
    read_fails_in_ = dice_.from_to(1, 40);
  const bool alone = !owner_ && overtaken_ && dice_.one_in(2);
  if (!owner_ && !alone) {
    if (faults_.old_copies && dice_.one_in(3)) copy_state();
    if (dice_.one_in(3)) lose_state();
    if (!open_owner()) return;
  }
  auto& o = alone || (overtaken_ && dice_.one_in(3)) ? *overtaken_ : *owner_;
  auto& t = any_task(o);
  switch (dice_.upto(24)) {
    case 0:
    case 1:
      if (!until_end_) append_some(12);
      break;
    case 2:
    case 3:
      move_clock();
      break;
    case 4:
      if (faults_.crashes && dice_.one_in(3)) kill(&o == owner_.get() ? owner_ : overtaken_);
      break;
    case 5:
      if (faults_.task_failures && !o.in_doubt) fail_task(o, t.id);
      break;
    case 6:
      if (faults_.second_owner && dice_.one_in(4)) overtake();
      break;
    case 7:
      if (faults_.retention) remove_old();
      break;
    case 8:
      if (faults_.gaps) leave_gap();
      break;
    case 9:
      if (faults_.advance && dice_.one_in(3)) {
        const auto to = *parse_time("2001-01-01") + std::chrono::minutes{dice_.from_to(-60, 900)};
        tell(fmt::format("  {}[{}]: event time is moved to {}", t.id.first, t.id.second,
                         format_time(to)));
        model_->may_advance(to);
        t.task->advance_event_time(to);
      }
      break;
    case 10:
      if (!o.overtaken || !state_moved_on_) check_query(t);
      break;
    case 11:
    case 12:
    case 13:
      if (t.task->should_close(now_)) close_task(o, t, false);
      break;
    case 14:
      close_task(o, t, dice_.one_in(3));
      break;
    case 15:
    case 16:
      flush(o);
      break;
    case 17:
    case 18:
      snapshot(o, t);
      break;
    default:
      if (!o.overtaken || !state_moved_on_) run_task(o, t, dice_.some(dice_.one_in(2) ? 3 : 30));
  }
  bury();
}

void life::run() {
  begin();
  for (auto n = dice_.from_to(40, 400); n > 0; --n) step();
  tell("until the end");
  kill(overtaken_);
  kill(owner_);
  until_end_ = true;
  rows_->ended = true;
  model_->rows_ended();
  for (auto n = dice_.from_to(0, 150); n > 0; --n) step();
  end();
  stats_.epochs = model_->epochs();
  stats_.records = model_->records_taken();
  stats_.timers = model_->timers_fired();
  stats_.dead_letters = model_->dead_letters();
  stats_.late = model_->late_records();
}

// No more faults: everything must come to its end, and stay there.
void life::end() {
  tell("no more faults");
  faults_on_ = false;
  kill(overtaken_);
  kill(owner_);
  if (!open_owner()) wrong("the app does not start without faults");
  settle();
  check_end();
  check_log();
  const auto appended = log_end();

  kill(owner_);
  if (!open_owner()) wrong("the app does not start after its end");
  settle();
  check_end();
  kill(owner_);
  bool rebuildable = true;
  for (const auto& [id, positions] : stored_) {
    const auto& s = model_->stage_of(id.first);
    for (std::size_t i = 0; i < s.inputs.size(); ++i) {
      const topic_partition tp{s.spec.inputs[i].topic, partition{id.second}};
      if (removed_before_[tp] > model_->at(id, epoch_number{0}).positions[i]) rebuildable = false;
    }
  }
  if (rebuildable) {
    tell("rebuilt from the log");
    for (auto& [id, positions] : stored_) {
      fs::remove_all(folder_of(id));
      positions.reset();
    }
    if (!open_owner()) wrong("the app does not start without its state");
    settle();
    check_end();
  }
  if (log_end() != appended) wrong("something was appended after the end");
}

}  // namespace kappa::sim
