#include "actors/actors_support.hpp"

#include "kappa/core/partitioner.hpp"

namespace actors_test {

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock{mutex};
  const auto until = std::chrono::steady_clock::now() + limit;
  // Some conditions read whole topics of a broker: asked without a pause, they take the time of
  // what they wait for.
  for (auto pause = 1ms; !condition();
       pause = std::min(2 * pause, std::chrono::milliseconds{100})) {
    if (std::chrono::steady_clock::now() > until) return false;
    never.wait_for(lock, pause);
  }
  return true;
}

struct commit_gate::inside {
  std::mutex mutex;
  std::condition_variable changed;
  bool closed = false;
  int waiting = 0;
  std::deque<commit_fault> fates;
};

commit_gate::commit_gate(memory_log& log) : in_{std::make_shared<inside>()} {
  log.set_commit_fault([in = in_](const log_transaction&) {
    std::unique_lock lock{in->mutex};
    ++in->waiting;
    in->changed.wait(lock, [&] { return !in->closed || !in->fates.empty(); });
    --in->waiting;
    if (in->fates.empty()) return commit_fault::none;
    const auto fate = in->fates.front();
    in->fates.pop_front();
    return fate;
  });
}

commit_gate::~commit_gate() { open(); }

void commit_gate::hold() {
  const std::lock_guard lock{in_->mutex};
  in_->closed = true;
}

bool commit_gate::has_caught_one() {
  return eventually([this] {
    const std::lock_guard lock{in_->mutex};
    return in_->waiting > 0 && in_->fates.empty();
  });
}

void commit_gate::release(commit_fault fate) {
  const std::lock_guard lock{in_->mutex};
  in_->fates.push_back(fate);
  in_->changed.notify_all();
}

void commit_gate::open() {
  const std::lock_guard lock{in_->mutex};
  in_->closed = false;
  in_->changed.notify_all();
}

app sums_app(misbehave on_each) {
  app a{"sums"};
  a.stream<reading>("readings")
      .map("look",
           [on_each](const reading& r) {
             if (on_each) on_each(r);
             return r;
           })
      .already_keyed(&reading::place)
      .fold<totals>("sum", [](totals& t, const reading& r) { t.add(r.value); })
      .to("sums");
  return a;
}

app hourly_app() {
  app a{"weather"};
  a.stream<reading>("readings")
      .key_by("place", &reading::place)
      .window(tumbling{1h}, {.lateness = 10min, .keep = forever})
      .fold<totals>("hourly", [](totals& t, const reading& r) { t.add(r.value); })
      .to("hourly-totals");
  return a;
}

world::world(std::int32_t n) : partitions{n} {
  topic_config c;
  c.name = "readings";
  c.partitions = n;
  must(log->create_topic(c));
}

host_options world::options() const {
  host_options o;
  o.shared_log = log;
  o.state = folder.path() / "state";
  o.partitions = partitions;
  o.worker_threads = 2;
  o.limits.commit_interval = 5ms;
  o.limits.snapshot_interval = 20ms;
  o.first_backoff = 1ms;
  o.last_backoff = 20ms;
  o.crash_ledger = false;  // Boost.Test has handlers of its own
  return o;
}

void world::send(const reading& r) { send(r, partition_of(encoded(r.place), partitions)); }

void world::send(const reading& r, partition to) {
  record_batch batch;
  batch.add(r.at, bytes_view{r.place}, bytes_view{encoded(r)});
  must(log->append({"readings", to}, batch));
}

void world::each(const std::string& topic, const std::function<void(const record_view&)>& f) {
  if (!must(log->find_topic(topic))) return;
  must(for_each_record(*log, topic, [&](const record_view& r) -> result<void> {
    if (!r.headers.find(marker_header)) f(r);
    return {};
  }));
}

std::vector<std::string> world::dead_letters(const std::string& app, std::string_view header) {
  std::vector<std::string> all;
  each(app + ".dead-letters",
       [&](const record_view& r) { all.emplace_back(r.headers.find(header).value_or("(none)")); });
  return all;
}

task_progress progress_of(const host& h, const std::string& stage) {
  task_progress sum;
  for (const auto& t : h.status()) {
    if (t.id.stage != stage) continue;
    sum.records_in += t.progress.records_in;
    sum.records_out += t.progress.records_out;
    sum.replayed += t.progress.replayed;
    sum.dead_letters += t.progress.dead_letters;
    sum.epochs += t.progress.epochs;
    sum.snapshots += t.progress.snapshots;
    sum.dirty_bytes += t.progress.dirty_bytes;
  }
  return sum;
}

task_status status_of(const host& h, const std::string& stage, int partition) {
  for (auto& t : h.status()) {
    if (t.id.stage == stage && t.id.partition.value == partition) return t;
  }
  BOOST_FAIL("no such task: " + stage);
  return {};
}

bool processed(const host& h, const std::string& stage, std::uint64_t records) {
  return eventually([&] { return progress_of(h, stage).records_in >= records; });
}

}  // namespace actors_test
