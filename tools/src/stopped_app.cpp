#include "stopped_app.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "decoding.hpp"
#include "job.hpp"
#include "kappa/core/partitioner.hpp"
#include "kappa/state/state_description.hpp"
#include "kappa/stream/window.hpp"
#include "kappa/task/epoch.hpp"
#include "kappa/task/local_runner.hpp"

namespace kappa::tools {
namespace {

// A task's state, to be read.
struct opened_state {
  std::unique_ptr<state_store> store;
  std::vector<state_table_spec> tables;
  std::optional<snapshot_record> snapshot;

  [[nodiscard]] std::optional<std::size_t> table(const std::string& name) const {
    for (std::size_t i = 0; i < tables.size(); ++i) {
      if (tables[i].name == name) return i;
    }
    return std::nullopt;
  }
};

result<opened_state> open_folder(const std::filesystem::path& folder, const task_id& id) {
  auto told = describe_state(folder);
  if (!told) return fail(told.error());
  state_store_options options;
  options.folder = folder;
  options.identity = told->identity;
  options.tables = told->tables;
  options.read_only = true;
  auto store = state_store::open(options);
  if (!store) return fail(store.error());
  opened_state out;
  if (const auto raw = (*store)->snapshot()) {
    out.snapshot = decode_snapshot(*raw);
    if (!out.snapshot) return fail(errc::corrupt, id.text(), "its snapshot cannot be read");
  }
  out.store = std::move(*store);
  out.tables = std::move(told->tables);
  return out;
}

// The app's own folder, and on Kafka that of each process that has a slot in --state.
std::vector<std::filesystem::path> folders_of(const std::filesystem::path& state,
                                              const task_id& id) {
  std::vector<std::filesystem::path> found;
  const auto look = [&](const std::filesystem::path& in) {
    std::error_code ec;
    const auto folder = task_folder(in / id.app, id);
    if (std::filesystem::exists(folder / "data.mdb", ec)) found.push_back(folder);
  };
  look(state);
  std::error_code ec;
  for (std::filesystem::directory_iterator at{state, ec}, end; !ec && at != end; at.increment(ec)) {
    std::error_code none;
    if (std::filesystem::exists(at->path() / "slot.lock", none)) look(at->path());
  }
  return found;
}

// Of a task that has moved, the process that had it last has gone furthest.
result<opened_state> open_state(const std::filesystem::path& state, const task_id& id) {
  const auto folders = folders_of(state, id);
  if (folders.empty()) {
    std::error_code ec;
    return fail(
        errc::io, id.text(),
        fmt::format("there is no state in {}: name the folder with --state",
                    std::filesystem::absolute(task_folder(state / id.app, id), ec).string()));
  }
  std::optional<opened_state> furthest;
  for (const auto& folder : folders) {
    auto opened = open_folder(folder, id);
    if (!opened) return fail(opened.error());
    const auto epoch = [](const opened_state& s) {
      return s.snapshot ? std::optional{s.snapshot->epoch} : std::nullopt;
    };
    if (!furthest || epoch(*opened) > epoch(*furthest)) furthest.emplace(std::move(*opened));
  }
  return std::move(*furthest);
}

// "flights.hourly-delays.g1.epochs" → hourly-delays, 1
std::optional<std::pair<std::string, generation>> stage_of_topic(const std::string& app,
                                                                 std::string_view topic) {
  constexpr std::string_view suffix = ".epochs";
  const auto prefix = app + ".";
  if (!topic.starts_with(prefix) || !topic.ends_with(suffix)) return std::nullopt;
  topic.remove_prefix(prefix.size());
  if (topic.size() < suffix.size()) return std::nullopt;
  topic.remove_suffix(suffix.size());
  const auto g = topic.rfind(".g");
  if (g == std::string_view::npos) return std::nullopt;
  std::int32_t number = 0;
  const auto digits = topic.substr(g + 2);
  const auto r = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (r.ec != std::errc{} || r.ptr != digits.data() + digits.size()) return std::nullopt;
  return std::pair{std::string{topic.substr(0, g)}, generation{number}};
}

result<void> check_known(const std::vector<stopped_stage>& stages, const std::string& app,
                         const std::string& stage) {
  std::vector<std::string> names;  // a stage's generations are beside each other
  for (const auto& s : stages) {
    if (s.name == stage) return {};
    if (names.empty() || names.back() != s.name) names.push_back(s.name);
  }
  return fail(errc::not_found, "stage " + stage,
              fmt::format("no such stage; app {} has {}{}", app,
                          names.empty() ? "none yet" : fmt::format("{}", fmt::join(names, ", ")),
                          did_you_mean(stage, names)));
}

void add_state(admin::task_status& to, const std::filesystem::path& state, const task_id& id) {
  auto opened = open_state(state, id);
  if (!opened) {
    to.last_error = opened.error().text();
    return;
  }
  if (auto stats = opened->store->stats()) {
    to.state_file_bytes = stats->file_bytes;
    to.state_used_bytes = stats->used_bytes;
    to.state_entries = stats->entries;
  }
  if (!opened->snapshot) {
    to.last_error = "no snapshot yet";
    return;
  }
  if (opened->snapshot->real_watermark != min_time) to.watermark = opened->snapshot->real_watermark;
  to.late_records = opened->snapshot->late_records;
}

}  // namespace

result<std::vector<stopped_stage>> stages_of(event_log& log, const std::string& app) {
  auto topics = log.topics();
  if (!topics) return fail(topics.error());
  auto schemas = read_schemas(log, app);
  if (!schemas) return fail(schemas.error());
  std::vector<stopped_stage> all;
  for (const auto& t : *topics) {
    if (t.owner != app) continue;
    const auto stage = stage_of_topic(app, t.name);
    if (!stage) continue;
    const auto state = schemas->find(state_name_of(stage->first, stage->second));
    const bool keyed = state != schemas->end();
    all.push_back(
        {stage->first, stage->second, t.partitions, keyed, keyed && state->second.windowed});
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::pair{a.name, a.generation} < std::pair{b.name, b.generation};
  });
  return all;
}

result<void> check_stage(event_log& log, const std::string& app, const std::string& stage) {
  auto stages = stages_of(log, app);
  if (!stages) return fail(stages.error());
  return check_known(*stages, app, stage);
}

result<stopped_stage> find_keyed_stage(event_log& log, const std::string& app,
                                       const std::string& stage) {
  auto stages = stages_of(log, app);
  if (!stages) return fail(stages.error());
  std::optional<stopped_stage> found;
  std::vector<std::string> keyed;
  for (const auto& s : *stages) {
    if (s.name == stage) found = s;
    if (s.keyed) keyed.push_back(s.name);
  }
  if (found && found->keyed) return *found;
  return fail(found ? errc::invalid_argument : errc::not_found, "stage " + stage,
              fmt::format("{}; app {} keeps state in {}{}",
                          found ? "it keeps no keyed state" : "no such stage", app,
                          keyed.empty() ? "no stage" : fmt::format("{}", fmt::join(keyed, ", ")),
                          did_you_mean(stage, keyed)));
}

result<admin::status> status_of_stopped(event_log& log, const std::string& app,
                                        const std::filesystem::path& state,
                                        const std::string& only_stage) {
  admin::status out;
  out.app = app;
  out.log = log.name();
  out.log_id = log.id();
  auto stages = stages_of(log, app);
  if (!stages) return fail(stages.error());
  if (!only_stage.empty()) {
    if (auto known = check_known(*stages, app, only_stage); !known) return fail(known.error());
  }
  auto positions = log.positions(app);
  if (!positions) return fail(positions.error());
  for (const auto& s : *stages) {
    if (!only_stage.empty() && s.name != only_stage) continue;
    admin::stage_status stage;
    stage.name = s.name;
    stage.generation = s.generation.value;
    stage.keyed = s.keyed;
    stage.windowed = s.windowed;
    for (std::int32_t p = 0; p < s.tasks; ++p) {
      const task_id id{app, s.name, s.generation, partition{p}};
      admin::task_status task;
      task.partition = p;
      task.health = admin::health::stopped;
      for (const auto& move : *positions) {
        const auto& k = move.key;
        if (k.stage != s.name || k.generation != s.generation || k.task != id.partition) continue;
        admin::input_status input;
        input.topic = k.input;
        input.next = move.value.next.value;
        auto topic = log.find_topic(k.input);
        if (!topic) return fail(topic.error());
        if (*topic) {
          auto bounds = log.bounds({k.input, id.partition});
          if (!bounds) return fail(bounds.error());
          input.lag = static_cast<std::uint64_t>(
              std::max<std::int64_t>(0, bounds->latest - move.value.next));
        } else {
          stage.source = true;
        }
        task.lag += input.lag;
        task.inputs.push_back(std::move(input));
        if (const auto meta = decode_metadata(move.value.metadata)) {
          task.epoch = std::max(task.epoch, meta->epoch.value);
        }
      }
      if (!stage.source) add_state(task, state, id);
      stage.tasks.push_back(std::move(task));
    }
    out.stages.push_back(std::move(stage));
  }
  return out;
}

result<admin::found> get_from_stopped(event_log& log, const std::string& app,
                                      const std::filesystem::path& state, const std::string& stage,
                                      const std::string& key, const std::string& window) {
  auto at = find_keyed_stage(log, app, stage);
  if (!at) return fail(at.error());
  std::optional<timestamp> start;
  if (!window.empty()) {
    if (!at->windowed) {
      return fail(errc::bad_config, "--window", "stage " + stage + " has no windows");
    }
    start = parse_time(window);
    if (!start) {
      return fail(errc::bad_config, "--window",
                  "expected its start, as 2001-01-01T08:00:00Z, not " + window);
    }
  }
  decoders decode{log};
  auto how = decode.of(state_name_of(stage, at->generation), app);
  if (!how) return fail(how.error());
  if (!(*how)->key) {
    return fail(errc::invalid_argument, "stage " + stage,
                "its keys have a codec of the app's own: ask while the app runs");
  }
  auto key_bytes = (*how)->key->from_text(key);
  if (!key_bytes) return fail(key_bytes.error());
  const task_id id{app, stage, at->generation, partition_of(*key_bytes, at->tasks)};
  auto opened = open_state(state, id);
  if (!opened) return fail(opened.error());
  const auto table = opened->table(stage);
  if (!table) return fail(errc::corrupt, id.text(), "its table is not there");

  admin::found out;
  out.stage = stage;
  out.key = key;
  out.windowed = at->windowed;
  const auto add = [&](timestamp of, bytes_view value) {
    admin::found_entry e;
    e.window = of;
    e.value = json_of((*how)->value, value, (*how)->problem);
    out.entries.push_back(std::move(e));
  };
  if (!at->windowed || start) {
    bytes value;
    const auto state_key = start ? window_state_key(*key_bytes, *start) : *key_bytes;
    auto there = opened->store->get(*table, state_key, value);
    if (!there) return fail(there.error());
    if (*there) add(start.value_or(timestamp{}), value);
  } else {
    auto scanned = opened->store->scan_all(*table, [&](bytes_view k, bytes_view value) {
      const auto parts = split_window_state_key(k);
      if (parts && parts->key == *key_bytes) add(parts->start, value);
      return true;
    });
    if (!scanned) return fail(scanned.error());
    std::sort(out.entries.begin(), out.entries.end(),
              [](const auto& a, const auto& b) { return a.window < b.window; });
  }
  if (opened->snapshot) {
    for (std::size_t i = 0; i < opened->snapshot->inputs.size(); ++i) {
      admin::input_position p;
      p.topic = opened->snapshot->inputs[i];
      p.partition = id.partition.value;
      p.next = opened->snapshot->positions[i].value;
      out.as_of.push_back(std::move(p));
    }
  }
  return out;
}

}  // namespace kappa::tools
