#include "kappa/testing/driver.hpp"

#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>

#include <fmt/format.h>

#include "kappa/core/partitioner.hpp"
#include "kappa/keys/memory_key_store.hpp"

namespace kappa::testing {
namespace {

void must(const result<void>& r) {
  if (!r) throw std::runtime_error{r.error().text()};
}
template <class T>
T must(result<T> r) {
  if (!r) throw std::runtime_error{r.error().text()};
  return std::move(*r);
}

// A folder of its own for each run; removed at the end.
class scratch_folder {
 public:
  scratch_folder() {
    static std::atomic<int> counter{0};
    const auto base = std::filesystem::temp_directory_path();
    path_ = base / fmt::format("kappa-driver-{}-{}", ::getpid(), ++counter);
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// One thing that the test did.
struct sent_record {
  std::string topic;
  bytes value;
  timestamp time;
  std::optional<bytes> key;
  std::optional<partition> to;
};
struct advanced {
  timestamp to;
};
struct ended {};
struct asked {
  std::string stage;
  command_call call;
};
struct waited {
  milliseconds time;
};
using action = std::variant<sent_record, advanced, ended, asked, waited>;

enum class restarts { none, with_snapshots, without_snapshots };

// An app on its own log and state, that plays a script.
class stage_set {
 public:
  stage_set(std::shared_ptr<const topology> t, const driver_options& options,
            std::shared_ptr<key_ring> keys, restarts mode)
      : options_{options}, mode_{mode}, log_{memory_log::create()} {
    local_runner_options o;
    o.topology = std::move(t);
    o.log = log_;
    o.state_folder = folder_.path();
    o.layout.partitions = options.partitions;
    o.layout.create_inputs = true;
    o.limits = options.limits;
    o.keys = std::move(keys);
    o.clock = [this] { return now_; };
    runner_ = std::make_unique<local_runner>(std::move(o));
    must(runner_->open());
  }

  void play(const action& a) {
    std::visit([this](const auto& what) { apply(what); }, a);
    settle();
  }

  void restart(bool with_snapshot) {
    if (with_snapshot) must(runner_->snapshot_all());
    runner_->crash();
    must(runner_->open());
    settle();
  }

  // Runs until nothing is left to do; a shadow starts anew at every epoch.
  void settle() {
    for (;;) {
      local_runner::pass_options pass;
      pass.budget = options_.steps_per_epoch;
      pass.snapshots = mode_ == restarts::with_snapshots;
      if (mode_ != restarts::none) pass.after_commit = [] { return false; };
      if (must(runner_->run_until_quiet(pass))) return;
      runner_->crash();
      must(runner_->open());
      // Tasks that had not come to it yet (the others have nothing to do).
      if (advanced_to_) runner_->advance_event_time(*advanced_to_);
    }
  }

  [[nodiscard]] memory_log& log() { return *log_; }
  [[nodiscard]] local_runner& runner() { return *runner_; }
  [[nodiscard]] timestamp now() const { return now_; }

  std::vector<read_record<bytes>> read(const std::string& topic,
                                       std::map<partition, offset>& from) {
    std::vector<read_record<bytes>> all;
    const auto config = must(log_->find_topic(topic));
    if (!config) throw std::runtime_error{"no such topic: " + topic};
    for (std::int32_t p = 0; p < config->partitions; ++p) {
      const topic_partition tp{topic, partition{p}};
      auto reader = must(log_->open_reader(tp));
      auto& at = from[partition{p}];
      for (;;) {
        const auto batch = must(reader->read(at, 1 << 20));
        for (const auto& r : batch.records()) {
          if (r.headers.find(marker_header)) continue;
          read_record<bytes> copy;
          if (r.key) copy.key = bytes{*r.key};
          copy.value = bytes{r.value.value_or(bytes_view{})};
          copy.time = r.time;
          for (const auto& h : r.headers) copy.headers.emplace_back(h.name, h.value);
          all.push_back(std::move(copy));
        }
        if (batch.next() == at) break;
        at = batch.next();
      }
    }
    return all;
  }

  // Everything that must be the same whatever happened on the way, as text.
  std::map<std::string, std::vector<std::string>> picture(std::string& problems) {
    std::map<std::string, std::vector<std::string>> p;
    const auto& t = *runner_->options().topology;
    for (const auto& stage : t.stages()) {
      for (const auto& port : stage.ports) {
        auto& lines = p["topic " + port.topic];
        std::map<partition, offset> from;
        for (const auto& r : read(port.topic, from)) {
          lines.push_back(fmt::format("{} {} {}", format_time(r.time),
                                      r.key ? printable(*r.key) : "null",
                                      printable(r.value, 4096)));
          if (port.check == nullptr) continue;
          if (auto ok = port.check(r.value); !ok)
            problems += port.topic + ": " + ok.error().text() + "\n";
        }
        // What several tasks publish to a partition is in the order of the tasks.
        if (stage.aggregate && port.kind == port_kind::public_topic)
          std::sort(lines.begin(), lines.end());
      }
      if (stage.aggregate) picture_commands(stage, p["topic " + stage.commands_topic()]);
      for (std::int32_t n = 0; n < runner_->layout().at(stage.name).tasks; ++n) {
        auto* const task = runner_->find(stage.name, partition{n});
        if (task->table() == nullptr) continue;
        auto& lines = p[fmt::format("state of {}", task->id().text())];
        must(task->table()->scan({}, {}, read_level::latest, [&](bytes_view key, bytes_view value) {
          lines.push_back(fmt::format("{} = {}", printable(key), printable(value, 4096)));
          if (auto ok = stage.state_check(value); !ok)
            problems += stage.name + ": " + ok.error().text() + "\n";
          return true;
        }));
      }
    }
    auto& dead = p["topic " + t.dead_letters_topic()];
    std::map<partition, offset> from;
    for (const auto& r : read(t.dead_letters_topic(), from))
      dead.push_back(printable(r.value, 4096));
    std::sort(dead.begin(), dead.end());  // tasks share the partition: their order is not fixed
    return p;
  }

  // One that was sent twice would not show elsewhere: the aggregate knows it by its id. Their order
  // is that of the tasks that sent them.
  void picture_commands(const stage_spec& stage, std::vector<std::string>& lines) {
    std::map<partition, offset> from;
    for (const auto& r : read(stage.commands_topic(), from)) {
      lines.push_back(printable(r.key.value_or("")) + " " + printable(r.value, 4096));
    }
    std::sort(lines.begin(), lines.end());
  }

 private:
  void apply(const sent_record& r) {
    const auto config = must(log_->find_topic(r.topic));
    if (!config) throw std::runtime_error{"the app reads no topic named " + r.topic};
    record_batch batch;
    const auto key = r.key ? std::optional<bytes_view>{*r.key} : std::nullopt;
    batch.add(r.time, key, r.value);
    const auto to = r.to ? *r.to : r.key ? partition_of(*r.key, config->partitions) : partition{0};
    if (auto done = log_->append({r.topic, to}, batch); !done)
      throw std::runtime_error{done.error().text()};
  }
  void apply(const advanced& a) {
    advanced_to_ = a.to;
    runner_->advance_event_time(a.to);
  }
  void apply(const ended&) {
    runner_->set_until_end(true);
    runner_->crash();
    must(runner_->open());
  }
  void apply(const asked& a) {
    const auto tasks = runner_->layout().at(a.stage).tasks;
    auto call = a.call;
    must(runner_->commands(a.stage, partition_of(call.key, tasks))->put(std::move(call)));
  }
  void apply(const waited& w) { now_ += w.time; }

  driver_options options_;
  restarts mode_;
  std::shared_ptr<memory_log> log_;
  scratch_folder folder_;
  std::optional<timestamp> advanced_to_;
  timestamp now_ = first_moment;
  std::unique_ptr<local_runner> runner_;
};

}  // namespace

timestamp ts(std::string_view text) {
  const auto t = parse_time(text);
  if (!t) throw std::runtime_error{fmt::format("not a time: \"{}\"", text)};
  return *t;
}

struct driver::inside {
  std::shared_ptr<const kappa::topology> topology;
  driver_options options;
  std::shared_ptr<key_ring> keys = std::make_shared<key_ring>(std::make_shared<memory_key_store>());
  std::unique_ptr<stage_set> main;
  std::vector<action> script;
  std::map<std::string, std::map<partition, offset>> read_up_to;
  std::string problems;
  bool verified = false;

  void act(action a) {
    script.push_back(std::move(a));
    main->play(script.back());
  }
};

driver::driver(const app& a, driver_options options) : in_{std::make_unique<inside>()} {
  in_->topology = std::make_shared<kappa::topology>(must(kappa::topology::compile(a)));
  in_->options = std::move(options);
  in_->main = std::make_unique<stage_set>(in_->topology, in_->options, in_->keys, restarts::none);
}

driver::~driver() {
  if (!in_ || in_->verified || !in_->options.shadows || std::uncaught_exceptions() > 0) return;
  std::string differences;
  try {
    differences = verify();
  } catch (const std::exception& e) {
    differences = fmt::format("a shadow run failed: {}\n", e.what());
  }
  if (differences.empty()) return;
  if (in_->options.on_difference) {
    in_->options.on_difference(differences);
    return;
  }
  std::fprintf(
      stderr, "kappa::testing::driver: restarting the app at every epoch gives something else:\n%s",
      differences.c_str());
  std::abort();
}

void driver::send_bytes(const std::string& topic, bytes value, timestamp at,
                        std::optional<bytes> key, std::optional<partition> to) {
  in_->act(sent_record{topic, std::move(value), at, std::move(key), to});
}

void driver::advance_event_time(timestamp t) { in_->act(advanced{t}); }
void driver::end_of_input() { in_->act(ended{}); }
void driver::restart(bool with_snapshot) { in_->main->restart(with_snapshot); }

std::vector<read_record<bytes>> driver::read_raw(const std::string& topic) {
  return in_->main->read(topic, in_->read_up_to[topic]);
}

std::vector<read_record<bytes>> driver::dead_letters() {
  return read_raw(in_->topology->dead_letters_topic());
}

std::optional<bytes> driver::read_state(const std::string& stage, const bytes& key,
                                        const bytes& state_key) {
  auto& runner = in_->main->runner();
  const auto layout = runner.layout().find(stage);
  if (layout == runner.layout().end()) throw std::runtime_error{"no such stage: " + stage};
  auto* const task = runner.find(stage, partition_of(key, layout->second.tasks));
  if (task->table() == nullptr) throw std::runtime_error{"stage keeps no keyed state: " + stage};
  return must(task->table()->read(state_key, read_level::committed));
}

memory_log& driver::log() { return in_->main->log(); }
local_runner& driver::runner() { return in_->main->runner(); }

void driver::advance_clock(milliseconds by) { in_->act(waited{by}); }
timestamp driver::now() const { return in_->main->now(); }

std::string driver::stage_of(std::type_index aggregate, std::uint64_t key_fingerprint) {
  return must(in_->topology->find_aggregate(aggregate, key_fingerprint))->name;
}

command_result driver::ask_bytes(std::type_index aggregate, std::uint64_t key_fingerprint,
                                 bytes key, std::size_t command, bytes body, std::string id,
                                 std::optional<std::uint64_t> expected) {
  asked a{stage_of(aggregate, key_fingerprint), {std::move(key), command, std::move(body)}};
  if (!id.empty()) a.call.id = std::move(id);
  a.call.expected = expected;
  // Who does the same again hears an answer, too, but tells nobody: of a command that nobody hears
  // of there may be a dead letter.
  a.call.done = [](command_outcome) {};
  in_->script.push_back(a);
  // It may be told after this call, which then has failed.
  const auto told = std::make_shared<std::optional<command_outcome>>();
  a.call.done = [told](command_outcome o) { *told = std::move(o); };
  in_->main->play(a);
  if (!*told) throw std::runtime_error{a.stage + ": the command has not been answered"};
  return {"", a.call.key, std::move(**told)};
}

key_ring* driver::keys() { return in_->keys.get(); }

void driver::check(const result<void>& done) { must(done); }

std::string driver::verify() {
  in_->verified = true;
  std::string differences;
  const auto expected = in_->main->picture(differences);
  for (const auto mode : {restarts::with_snapshots, restarts::without_snapshots}) {
    stage_set shadow{in_->topology, in_->options, in_->keys, mode};
    for (const auto& a : in_->script) shadow.play(a);
    auto found = shadow.picture(differences);
    const auto* how =
        mode == restarts::with_snapshots ? "with every snapshot" : "without snapshots";
    for (const auto& [what, lines] : expected) {
      const auto& other = found[what];
      if (other == lines) continue;
      const auto n = std::min(lines.size(), other.size());
      std::size_t i = 0;
      while (i < n && lines[i] == other[i]) ++i;
      differences += fmt::format(
          "{} ({}): {} entries, without restarts {}; first difference at {}:\n  {}\n  {}\n", what,
          how, other.size(), lines.size(), i, i < lines.size() ? lines[i] : "(nothing)",
          i < other.size() ? other[i] : "(nothing)");
    }
  }
  return differences;
}

}  // namespace kappa::testing
