#include "stopped_app.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "decoding.hpp"
#include "job.hpp"
#include "kappa/actors/committed_status.hpp"
#include "kappa/core/partitioner.hpp"
#include "kappa/state/state_description.hpp"
#include "kappa/stream/window.hpp"
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

template <class Stages>
std::vector<std::string> names_of(const Stages& stages) {
  std::vector<std::string> names;
  for (const auto& s : stages) names.push_back(s.name);
  return names;
}

result<void> check_known(const std::vector<std::string>& stages, const std::string& app,
                         const std::string& stage) {
  std::vector<std::string> names;  // a stage's generations are beside each other
  for (const auto& name : stages) {
    if (name == stage) return {};
    if (names.empty() || names.back() != name) names.push_back(name);
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

result<void> check_stage(event_log& log, const std::string& app, const std::string& stage) {
  auto stages = stages_in_log(log, app);
  if (!stages) return fail(stages.error());
  return check_known(names_of(*stages), app, stage);
}

result<stage_in_log> find_keyed_stage(event_log& log, const std::string& app,
                                      const std::string& stage) {
  auto stages = stages_in_log(log, app);
  if (!stages) return fail(stages.error());
  std::optional<stage_in_log> found;
  std::vector<std::string> keyed;
  for (const auto& s : *stages) {
    if (s.name == stage) found = s;
    if (s.keyed) keyed.push_back(s.name);
  }
  if (found && found->keyed) return *found;
  const auto commands = log.find_topic(fmt::format("{}.{}.commands", app, stage));
  if (!found && commands && *commands) {
    return fail(errc::invalid_argument, "stage " + stage,
                "it is an aggregate, which only the running app is asked for: start it, or see its "
                "events by kappa tail " +
                    stage);
  }
  return fail(found ? errc::invalid_argument : errc::not_found, "stage " + stage,
              fmt::format("{}; app {} keeps state in {}{}",
                          found ? "it keeps no keyed state" : "no such stage", app,
                          keyed.empty() ? "no stage" : fmt::format("{}", fmt::join(keyed, ", ")),
                          did_you_mean(stage, keyed)));
}

result<admin::status> status_of_stopped(event_log& log, const std::string& app,
                                        const std::filesystem::path& state,
                                        const std::string& only_stage) {
  auto found = committed_status(log, app);
  if (!found) return found;
  if (!only_stage.empty()) {
    if (auto known = check_known(names_of(found->stages), app, only_stage); !known)
      return fail(known.error());
    std::erase_if(found->stages, [&](const auto& s) { return s.name != only_stage; });
  }
  for (auto& stage : found->stages) {
    if (stage.source) continue;
    for (auto& task : stage.tasks) {
      const task_id id{app, stage.name, generation{stage.generation}, partition{task.partition}};
      add_state(task, state, id);
    }
  }
  return found;
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
