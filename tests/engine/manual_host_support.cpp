#include "engine/manual_host.hpp"

#include <algorithm>
#include <atomic>

#include <fmt/format.h>
#include <unistd.h>

#include "kappa/task/local_runner.hpp"

namespace engine_test {

timestamp minute(std::int64_t n) { return *parse_time("2001-01-01") + std::chrono::minutes{n}; }

boost::test_tools::predicate_result same(const picture& a, const picture& b) {
  boost::test_tools::predicate_result all{true};
  const auto differs = [&](const std::string& what) {
    all = false;
    all.message() << "\n" << what;
  };
  for (const auto& [name, lines] : a) {
    const auto at = b.find(name);
    if (at == b.end()) {
      differs(name + " is missing");
      continue;
    }
    const auto& others = at->second;
    std::size_t i = 0;
    while (i < lines.size() && i < others.size() && lines[i] == others[i]) ++i;
    if (i == lines.size() && i == others.size()) continue;
    differs(fmt::format("{}: {} and {} entries; at {}:\n  {}\n  {}", name, lines.size(),
                        others.size(), i, i < lines.size() ? lines[i] : "(nothing)",
                        i < others.size() ? others[i] : "(nothing)"));
  }
  if (a.size() != b.size()) differs("other topics");
  return all;
}

manual_host::manual_host(const app& a, std::int32_t partitions, std::shared_ptr<memory_log> on)
    : topology_{std::make_shared<kappa::topology>(must(kappa::topology::compile(a)))},
      partitions_{partitions},
      log_{std::move(on)} {
  static std::atomic<int> counter{0};
  folder_ = std::filesystem::temp_directory_path() /
            fmt::format("kappa-engine-{}-{}", ::getpid(), ++counter);
  std::filesystem::remove_all(folder_);
  std::filesystem::create_directories(folder_);
  layout_options layout;
  layout.partitions = partitions_;
  layout.create_inputs = true;
  layout_ = must(lay_out(*topology_, *log_, layout));
}

manual_host::~manual_host() {
  crash();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::filesystem::path manual_host::folder_of(const std::string& stage, int p) const {
  const auto& s = *topology_->find(stage);
  return task_folder(folder_, {s.app, s.name, s.generation, partition{p}});
}

task_options manual_host::options_of(const std::string& stage, int p) {
  task_options o;
  o.topology = topology_;
  o.stage = stage;
  o.partition = partition{p};
  o.log = log_;
  o.layout = layout_.at(stage);
  o.state_folder = folder_of(stage, p);
  o.limits = limits;
  o.on_failure = on_failure;
  o.until_end = until_end;
  o.clock = [this] { return now; };
  adjust(o);
  return o;
}

result<void> manual_host::try_open() {
  crash();
  layout_options lo;
  lo.partitions = partitions_;
  lo.create_inputs = true;
  auto layout = lay_out(*topology_, *log_, lo);
  if (!layout) return fail(layout.error());
  layout_ = std::move(*layout);
  lane_ = std::make_unique<commit_lane>(log_, writer_options{topology_->app_name(), "by hand"});
  if (auto opened = lane_->open(); !opened) return opened;
  for (const auto& stage : topology_->stages()) {
    for (std::int32_t p = 0; p < layout_.at(stage.name).tasks; ++p) {
      result<std::unique_ptr<runnable_task>> t = fail(errc::stopped, "", "");
      if (stage.source) {
        source_task_options o;
        o.topology = topology_;
        o.stage = stage.name;
        o.log = log_;
        o.layout = layout_.at(stage.name);
        o.limits = limits;
        o.on_failure = on_failure;
        o.clock = [this] { return now; };
        adjust_source(o);
        t = open_source_task(std::move(o));
      } else {
        t = open_task(options_of(stage.name, p));
      }
      if (!t) {
        crash();
        return fail(t.error());
      }
      tasks_.push_back({std::move(*t), {}});
    }
  }
  return {};
}

void manual_host::crash() {
  tasks_.clear();
  lane_.reset();
}

void manual_host::delete_state() {
  crash();
  std::filesystem::remove_all(folder_);
  std::filesystem::create_directories(folder_);
}

hosted_task& manual_host::at(const std::string& stage, int p) {
  for (auto& t : tasks_) {
    if (t.task->id().stage == stage && t.task->id().partition == partition{p}) return t;
  }
  throw std::runtime_error{"no task " + stage};
}

run_status manual_host::run(hosted_task& t, std::size_t budget) {
  return must(t.task->run(budget));
}

void manual_host::close(hosted_task& t, bool final) {
  if (auto e = must(t.task->close(now, final))) t.closed.push_back(std::move(e));
}

result<void> manual_host::try_commit(const std::vector<hosted_task*>& tasks) {
  std::vector<epoch_ptr> epochs;
  for (const auto* t : tasks) epochs.insert(epochs.end(), t->closed.begin(), t->closed.end());
  if (epochs.empty()) return {};
  auto bases = lane_->commit(epochs);
  if (!bases) return fail(bases.error());
  std::size_t next = 0;
  for (auto* t : tasks) {
    for (const auto& e : t->closed) t->task->committed(e->number, bases->at(next++));
    t->closed.clear();
  }
  return {};
}

void manual_host::commit(hosted_task& t) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    auto done = try_commit(t);
    if (done) return;
    if (!done.error().retriable) must(done);
  }
  throw std::runtime_error{"a commit fails for ever"};
}

void manual_host::snapshot(hosted_task& t) {
  if (t.being_written) {
    must(t.task->store()->commit(*t.being_written));
    t.being_written.reset();
    t.task->snapshot_done();
  }
  while (auto delta = t.task->snapshot_ready()) {
    must(t.task->store()->commit(*delta));
    t.task->snapshot_done();
  }
}

bool manual_host::turn(hosted_task& t, std::size_t budget, bool snapshots) {
  const auto status = run(t, budget);
  close(t, snapshots);
  const bool had = !t.closed.empty();
  commit(t);
  snapshot(t);
  return status.steps > 0 || status.more || had;
}

void manual_host::settle(std::size_t budget, bool snapshots) {
  for (bool any = true; any;) {
    any = false;
    for (auto& t : tasks_) {
      while (turn(t, budget, snapshots)) any = true;
    }
  }
}

void manual_host::snapshot_all() {
  for (auto& t : tasks_) {
    close(t, true);
    commit(t);
    snapshot(t);
  }
}

bool manual_host::finished() const {
  return std::all_of(tasks_.begin(), tasks_.end(),
                     [](const auto& t) { return t.task->finished(); });
}

void manual_host::send(const std::string& topic, const reading& r, int p) {
  send_bytes(topic, r.place, encoded(r), r.at, p);
}

void manual_host::send_bytes(const std::string& topic, std::optional<bytes> key,
                             std::optional<bytes> value, timestamp at, int p) {
  record_batch batch;
  const auto view = [](const std::optional<bytes>& b) {
    return b ? std::optional<bytes_view>{*b} : std::nullopt;
  };
  batch.add(at, view(key), view(value));
  must(log_->append({topic, partition{p}}, batch));
}

std::vector<logged> manual_host::read_all(const topic_partition& tp) {
  std::vector<logged> all;
  auto reader = must(log_->open_reader(tp));
  auto at = must(log_->bounds(tp)).earliest;
  for (;;) {
    const auto batch = must(reader->read(at, 1 << 20));
    for (const auto& r : batch.records()) {
      logged l{tp.partition, r.offset, {}, bytes{r.value.value_or(bytes_view{})}, r.time, {}};
      if (r.key) l.key = bytes{*r.key};
      for (const auto& h : r.headers) l.headers.emplace(bytes{h.name}, bytes{h.value});
      all.push_back(std::move(l));
    }
    if (batch.next() == at) return all;
    at = batch.next();
  }
}

std::vector<logged> manual_host::records(const std::string& topic) {
  std::vector<logged> all;
  const auto config = must(log_->find_topic(topic));
  if (!config) throw std::runtime_error{"no topic " + topic};
  for (std::int32_t p = 0; p < config->partitions; ++p) {
    for (auto& r : read_all({topic, partition{p}})) {
      if (!r.headers.contains(bytes{marker_header})) all.push_back(std::move(r));
    }
  }
  return all;
}

std::vector<std::string> manual_host::lines(const std::string& topic) {
  std::vector<std::string> all;
  for (const auto& r : records(topic)) {
    all.push_back(fmt::format("{} {} {} {}", r.where.value, r.key ? printable(*r.key) : "null",
                              printable(r.value, 4096), format_time(r.time)));
  }
  return all;
}

std::vector<marker> manual_host::markers(const std::string& topic, int p) {
  std::vector<marker> all;
  for (const auto& r : read_all({topic, partition{p}})) {
    const auto raw = r.headers.find(bytes{marker_header});
    if (raw != r.headers.end()) all.push_back(decode_marker(raw->second).value());
  }
  return all;
}

std::vector<epoch_record> manual_host::epoch_records(const std::string& stage, int p) {
  std::vector<epoch_record> all;
  for (const auto& r : read_all({topology_->find(stage)->epochs_topic(), partition{p}})) {
    if (!is_birth(r.value)) all.push_back(decode_epoch_record(r.value).value());
  }
  return all;
}

std::int64_t manual_host::log_end() {
  std::int64_t sum = 0;
  for (const auto& t : must(log_->topics())) {
    for (std::int32_t p = 0; p < t.partitions; ++p) {
      sum += must(log_->bounds({t.name, partition{p}})).latest.value;
    }
  }
  return sum;
}

position_key manual_host::position_of(const std::string& stage, int p, int input) const {
  const auto& s = *topology_->find(stage);
  return {s.app, s.name, s.generation, partition{p},
          s.inputs.at(static_cast<std::size_t>(input)).topic};
}

std::vector<std::string> manual_host::dump() {
  snapshot_all();
  std::vector<std::string> all;
  for (auto& t : tasks_) {
    if (t.task->store() == nullptr) continue;
    const std::size_t tables = t.task->table() == nullptr ? 2 : 3;
    for (std::size_t i = 0; i < tables; ++i) {
      for (const auto& [key, value] : must(dump_table(*t.task->store(), i))) {
        all.push_back(fmt::format("{} {} {} = {}", t.task->id().text(), i, printable(key, 4096),
                                  printable(value, 4096)));
      }
    }
    all.push_back(fmt::format("{} late {}", t.task->id().text(), t.task->progress().late_records));
  }
  return all;
}

engine_test::picture manual_host::picture() {
  engine_test::picture p;
  for (const auto& stage : topology_->stages()) {
    for (const auto& port : stage.ports) p[port.topic] = lines(port.topic);
  }
  p["dead"] = lines(dead_letters_topic());
  std::sort(p["dead"].begin(), p["dead"].end());
  p["state"] = dump();
  return p;
}

void rebuilds_the_same(manual_host& h) {
  h.settle();
  const auto before = h.picture();
  const auto end = h.log_end();
  h.delete_state();
  h.open();
  h.settle();
  BOOST_TEST(same(before, h.picture()));
  BOOST_TEST(h.log_end() == end);
}

}  // namespace engine_test
