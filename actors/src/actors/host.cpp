#include "kappa/actors/host.hpp"

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <optional>
#include <thread>

#include <unistd.h>

#include <fmt/format.h>

#include "actors/actor_home.hpp"
#include "actors/admin_actor.hpp"
#include "actors/admin_status.hpp"
#include "actors/at_rest.hpp"
#include "actors/board.hpp"
#include "actors/caf_compat.hpp"
#include "actors/command_port.hpp"
#include "actors/command_router.hpp"
#include "actors/crash_ledger.hpp"
#include "actors/lane_actor.hpp"
#include "actors/metrics.hpp"
#include "actors/open_stores.hpp"
#include "actors/retention_keeper.hpp"
#include "actors/running_tasks.hpp"
#include "actors/savepoint_keeper.hpp"
#include "actors/standby_choice.hpp"
#include "actors/standby_keeper.hpp"
#include "actors/state_answer.hpp"
#include "actors/step_pulse.hpp"
#include "actors/task_actor.hpp"
#include "actors/task_openers.hpp"
#include "actors/watchdog.hpp"
#include "kappa/copy/copy_note.hpp"
#include "kappa/core/caught.hpp"
#include "kappa/core/folders.hpp"
#include "kappa/core/partitioner.hpp"
#include "kappa/log/instance_slot.hpp"
#include "kappa/task/stored_schemas.hpp"

namespace kappa {
namespace {

// Each has a producer with threads of its own, and readers of what is committed wait for the
// transactions of all.
constexpr unsigned most_own_lanes = 4;

// The brokers are asked this often whether the tasks of other processes have finished; whether all
// of this one's have is seen sooner.
constexpr std::chrono::milliseconds look_elsewhere{1000};
constexpr std::chrono::milliseconds glance{50};

}  // namespace

struct host::inside {
  inside(host& h, const app& a, host_options o)
      : self{h},
        the_app{a},
        options{std::move(o)},
        port{std::make_shared<detail::command_port>(the_app.name(), options.actors)} {}

  host& self;
  app the_app;
  std::string instance = fmt::format("pid {}", ::getpid());
  timestamp started;
  host_options options;
  std::shared_ptr<detail::command_port> port;
  std::shared_ptr<const kappa::topology> topology;
  std::shared_ptr<event_log> log;
  std::shared_ptr<key_ring> keys;  // null: no personal fields, and no key store
  app_layout layout;
  std::unique_ptr<detail::crash_ledger> ledger;
  std::vector<std::unique_ptr<detail::step_pulse>> pulses;  // as tasks
  std::shared_ptr<detail::board> board;
  std::unique_ptr<detail::actor_home> home;
  std::vector<caf::actor> lanes;
  caf::actor state_thread;
  std::shared_ptr<detail::state_thread_signs> signs;
  caf::actor admin;
  std::atomic<std::chrono::steady_clock::time_point> look_elsewhere_at{};
  std::atomic<bool> stopping = false;
  std::map<std::string, std::shared_ptr<detail::aligner>> aligners;  // by stage
  std::unique_ptr<detail::running_tasks> tasks;
  std::shared_ptr<detail::standby_keeper> standbys;  // null: none are kept
  std::optional<instance_slot> slot;
  std::unique_ptr<membership> group;  // null: this process has all tasks
  // For keys whose tasks others have; null: there are none. Any thread may use it until the end.
  std::unique_ptr<aggregate_client> others;
  std::unique_ptr<detail::watchdog> watchdog;
  std::shared_ptr<detail::retention_keeper> retention;
  std::optional<detail::task_openers> openers;
  std::shared_ptr<detail::savepoint_keeper> savepoints;
  std::vector<detail::admin_task> admin_tasks;

  [[nodiscard]] std::filesystem::path app_state() const {
    return (slot ? slot->folder() : options.state) / topology->app_name();
  }

  [[nodiscard]] bool replayed(const std::string& stage) const {
    return std::find(options.replay.begin(), options.replay.end(), stage) != options.replay.end();
  }

  struct opened_task {
    task_id id;
    bool source = false;
    detail::task_opener opener;
    detail::task_ptr task;
  };

  // What is opened when the log gives it is left closed. Refuses before the first state is erased.
  result<std::vector<opened_task>> open_tasks() {
    for (const auto& name : options.replay) {
      if (auto keyed = topology->find_keyed(name); !keyed)
        return fail(errc::bad_config, "replay " + name, keyed.error().message);
    }
    if (log->places_tasks() && !options.replay.empty()) {
      return fail(errc::bad_config, "replay",
                  "on " + log->name() + " the app is asked while it runs: kappa replay");
    }
    std::vector<opened_task> opened;
    for (const auto& stage : topology->stages()) {
      if (options.replay_only && !replayed(stage.name)) continue;
      for (std::int32_t p = 0; p < layout.at(stage.name).tasks; ++p) {
        pulses.push_back(std::make_unique<detail::step_pulse>(ledger.get()));
        opened.push_back({{stage.app, stage.name, stage.generation, partition{p}},
                          stage.source.has_value(),
                          openers->of(stage, partition{p}, ledger.get(), *pulses.back()),
                          nullptr});
      }
    }
    if (log->places_tasks()) return opened;
    for (const auto& t : opened) {
      if (!replayed(t.id.stage)) continue;
      if (auto can = t.opener.check_rebuild(); !can) return fail(can.error());
    }
    for (auto& t : opened) {
      if (replayed(t.id.stage)) {
        if (auto erased = t.opener.erase(); !erased) return fail(erased.error());
      }
      auto task = t.opener.open();
      if (!task) return fail(task.error());
      t.task = std::move(*task);
    }
    return opened;
  }

  result<void> answer_admin(std::optional<detail::admin_among> among) {
    detail::admin_options o;
    o.topology = topology;
    o.instance = instance;
    o.log = log;
    o.lane = lanes.front();
    o.board = board;
    o.among = std::move(among);
    o.tasks = std::exchange(admin_tasks, {});
    o.status = [this](const std::string& stage) { return detail::describe(self, stage); };
    o.find = [this](const detail::state_question& q) -> result<admin::found> {
      if (stopping) return fail(errc::stopped, topology->app_name(), "the host stops", true);
      return detail::answer_state(self, q);
    };
    o.clock = options.clock;
    o.log_to = options.log_to;
    board->hold(true);  // until it has looked
    auto spawned = detail::spawn_admin(home->system(), std::move(o));
    if (!spawned) return fail(spawned.error());
    admin = std::move(*spawned);
    return {};
  }

  [[nodiscard]] int lanes_wanted() const {
    if (!log->places_tasks()) return 1;
    if (options.lanes != 0) return static_cast<int>(options.lanes);
    return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, most_own_lanes));
  }

  result<std::shared_ptr<commit_lane>> open_lane(int number) {
    writer_options o;
    o.app = topology->app_name();
    o.instance = instance;
    o.lane = number;
    o.lanes = lanes_wanted();
    auto opened = std::make_shared<commit_lane>(log, std::move(o), options.log_to);
    if (auto taken = opened->open(); !taken) return fail(taken.error());
    return opened;
  }

  // Each, also when there are fewer tasks: it ends what a former life of this process has left open
  // in it.
  result<std::vector<std::shared_ptr<commit_lane>>> open_lanes() {
    std::vector<std::shared_ptr<commit_lane>> all;
    for (int n = 0; n < lanes_wanted(); ++n) {
      auto next = open_lane(n);
      if (!next) return fail(next.error());
      all.push_back(std::move(*next));
    }
    return all;
  }

  // Always the same one: what it does not know the end of yet keeps the task from being opened.
  [[nodiscard]] const caf::actor& lane_of(const task_id& id) const {
    return lanes[static_cast<std::size_t>(id.partition.value) % lanes.size()];
  }

  std::shared_ptr<detail::aligner> aligner_of(const std::string& name) {
    const auto& stage = *topology->find(name);
    if (!detail::may_drift(stage) || options.max_drift.count() <= 0 || layout.at(name).tasks < 2)
      return nullptr;
    auto& a = aligners[name];
    if (a) return a;
    const auto members = static_cast<std::size_t>(layout.at(name).tasks);
    a = std::make_shared<detail::aligner>(options.max_drift, members);
    for (std::size_t m = 0; log->places_tasks() && m < members; ++m) a->leave(m);  // not here yet
    return a;
  }

  result<void> start() {
    if (auto can = detail::actor_home::check(options); !can) return can;
    const detail::system_visit visit{options.actors.get()};
    started = options.clock();
    signs = std::make_shared<detail::state_thread_signs>();
    auto compiled = topology::compile(the_app);
    if (!compiled) return fail(compiled.error());
    topology = std::make_shared<const kappa::topology>(std::move(*compiled));
    auto opened_log = detail::open_log_of(options, instance, slot);
    if (!opened_log) return fail(opened_log.error());
    log = std::move(*opened_log);
    if (options.standbys > 0 && !log->places_tasks()) {
      return fail(errc::bad_config, "standbys",
                  "on " + log->name() + " one process has all tasks: there is nobody to follow");
    }
    auto ring = detail::open_keys(options, *topology, *log);
    if (!ring) return fail(ring.error());
    keys = std::move(*ring);
    // Before anybody asks for positions: what hangs of them only the lane that has left it can end.
    auto commit_lanes = open_lanes();
    if (!commit_lanes) return fail(commit_lanes.error());
    if (auto whole = check_copy_complete(*log, topology->app_name()); !whole) return whole;
    auto laid_out = lay_out(*topology, *log, {options.partitions});
    if (!laid_out) return fail(laid_out.error());
    layout = std::move(*laid_out);
    if (auto made = lay_out_admin(*topology, *log); !made) return made;
    auto client = detail::client_for_others(log, topology, options.log_to);
    if (!client) return fail(client.error());
    others = std::move(*client);
    auto told = detail::caught(topology->app_name(), [&] {
      return publish_schemas(*topology, *log, *commit_lanes->front(), options.clock());
    });
    if (!told) return told;

    if (auto made = make_folders(app_state()); !made) return made;
    // Again, in case a process died just after it had made it.
    if (auto synced = sync_folder(options.state); !synced) return synced;
    if (options.crash_ledger) {
      auto opened = detail::crash_ledger::open(app_state() / "crash-ledger");
      if (!opened) return fail(opened.error());
      ledger = std::move(*opened);
    }

    auto repository = options.savepoint_repository;
    if (!repository && !options.savepoints.empty()) {
      auto there = open_savepoint_folder(options.savepoints);
      if (!there) return fail(there.error());
      repository = std::move(*there);
    }
    openers.emplace(options, topology, log, layout, app_state(), repository, keys);
    auto opened = open_tasks();
    if (!opened) return fail(opened.error());
    std::vector<task_status> statuses;
    for (const auto& t : *opened) {
      task_status s;
      s.id = t.id;
      s.source = t.source;
      s.rests = topology->follows_aggregates(*topology->find(t.id.stage));
      if (t.task) {
        s.progress = t.task->progress();
      } else {
        s.health = task_health::elsewhere;
      }
      statuses.push_back(std::move(s));
    }

    board = std::make_shared<detail::board>(std::move(statuses));
    if (!options.replay_only && detail::may_finish_at_rest(*topology)) board->let_rest();
    home = std::make_unique<detail::actor_home>(options);
    auto& system = home->system();
    const auto& app = topology->app_name();
    for (auto& l : *commit_lanes)
      lanes.push_back(detail::spawn_lane(system, app, std::move(l), board, options.log_to));
    if (!options.replay_only && options.retention_interval.count() > 0) {
      retention = std::make_shared<detail::retention_keeper>(
          log, options.retention_interval, [b = board] { return b->replaying(); }, options.clock,
          options.log_to);
    }
    if (repository) {
      savepoints = std::make_shared<detail::savepoint_keeper>(
          repository, options.savepoint_interval, app_state() / "savepoint.part", options.log_to);
    }
    state_thread = detail::spawn_state_thread(system, app, board, retention, savepoints, signs);
    tasks = std::make_unique<detail::running_tasks>(system, board, options.log_to);
    keep_standbys();
    for (std::size_t i = 0; i < opened->size(); ++i) {
      auto& t = (*opened)[i];
      detail::task_actor_options o;
      o.index = i;
      o.id = t.id;
      o.opener = t.opener;
      if (options.replay_only) o.opener.commands = nullptr;
      o.pulse = pulses[i].get();
      o.lane = lane_of(t.id);
      o.state_thread = state_thread;
      o.board = board;
      o.own_thread = t.source;
      o.aligner = aligner_of(o.id.stage);
      o.first_backoff = options.first_backoff;
      o.last_backoff = options.last_backoff;
      o.failures_until_quarantine = options.failures_until_quarantine;
      o.refusal_fails_host = log->places_tasks();
      o.clock = options.clock;
      o.log_to = options.log_to;
      const auto id = o.id;
      if (savepoints) {
        o.opener.erase = [keeper = savepoints, id = t.id, erase = std::move(o.opener.erase)] {
          keeper->forget(id);
          return erase();
        };
      }
      if (standbys) {
        o.opener.open = [keeper = standbys, i, open = std::move(o.opener.open)] {
          keeper->await_free(i);
          return open();
        };
      }
      tasks->add(std::move(o));
      if (t.task) tasks->start(i, std::move(t.task));
      admin_tasks.push_back(
          {id, [this, i] { return tasks->actor(i); }, std::move(t.opener.check_rebuild)});
    }
    result<void> answering;
    if (!options.replay_only && !log->places_tasks()) answering = answer_admin(std::nullopt);
    if (!answering) return answering;
    std::vector<const detail::step_pulse*> watched;
    for (const auto& p : pulses) watched.push_back(p.get());
    watchdog = std::make_unique<detail::watchdog>(options.handler_limit, std::move(watched), board,
                                                  options.log_to);
    port->open(self, keys);
    if (options.replay_only) return {};
    if (auto joined = join(); !joined) return joined;
    options.log_to(log_level::info, "started",
                   {{"app", topology->app_name()},
                    {"tasks", std::to_string(tasks->size())},
                    {"log", log->name()}});
    return {};
  }

  void keep_standbys() {
    if (options.standbys == 0) return;
    std::vector<std::optional<task_options>> followed;
    std::vector<task_id> ids;
    for (const auto& t : board->all()) {
      const auto& stage = *topology->find(t.id.stage);
      ids.push_back(t.id);
      followed.push_back(t.source || stage.aggregate
                             ? std::nullopt
                             : std::optional{openers->options_of(stage, t.id.partition)});
    }
    standbys = std::make_shared<detail::standby_keeper>(
        followed,
        [this, ids = std::move(ids)](const std::string& me) -> result<std::vector<bool>> {
          if (options.standbys == host_options::all_others)
            return std::vector<bool>(ids.size(), true);
          auto processes = log->processes(topology->app_name());
          if (!processes) return fail(processes.error());
          return detail::choose_standbys(ids, *processes, me, options.standbys);
        },
        [b = board, clock = options.clock](std::size_t task, const standby_progress& p) {
          b->update(task, [&](task_status& s) {
            if (s.health == task_health::elsewhere) s.standby = standby_status{p.epoch, clock()};
          });
        },
        options.limits.snapshot_interval, options.log_to);
    tasks->keep_standbys(standbys);
  }

  result<void> join() {
    if (!log->places_tasks()) return {};
    std::vector<stage_tasks> stages;
    for (const auto& stage : topology->stages())
      stages.push_back({stage.app, stage.name, stage.generation, layout.at(stage.name).tasks,
                        stage.fingerprint});
    // Before it is seen among the processes: who sees it expects an answer.
    auto asked = log->bounds({topology->admin_topic(), partition{0}});
    if (!asked) return fail(asked.error());
    auto joined = log->join(stages, instance, *tasks);
    if (!joined) return fail(joined.error());
    group = std::move(*joined);
    if (standbys) standbys->begin(group->process());
    return answer_admin(detail::admin_among{group->process(), asked->latest});
  }

  result<bool> wait_finished(std::chrono::milliseconds timeout) {
    if (!board) return fail(errc::stopped, the_app.name(), "the host was not started");
    const auto until = std::chrono::steady_clock::now() + timeout;
    for (;;) {
      const auto left = until - std::chrono::steady_clock::now();
      auto done = board->wait_finished(
          std::max(std::chrono::milliseconds{0},
                   std::chrono::duration_cast<std::chrono::milliseconds>(left)));
      if (done && !*done) look_elsewhere_at = std::chrono::steady_clock::time_point{};
      if (!done || !*done || options.replay_only) return done;
      if (std::chrono::steady_clock::now() >= look_elsewhere_at.load()) {
        auto elsewhere = group ? tasks->all_ended(*log, *topology) : result<bool>{true};
        if (elsewhere && *elsewhere) elsewhere = detail::at_rest(*topology, *log);
        if (elsewhere && *elsewhere) return true;
        // Brokers that do not answer for a while say nothing of the end.
        if (!elsewhere && !elsewhere.error().retriable) return elsewhere;
        look_elsewhere_at = std::chrono::steady_clock::now() + look_elsewhere;
      }
      if (std::chrono::steady_clock::now() >= until) return false;
      std::this_thread::sleep_for(glance);
    }
  }

  result<void> stop() {
    if (!home) return {};
    port->close();
    bool stuck = false;  // a thread that never ends cannot be joined
    // First: it may wait for a task, and what it has not answered the next host will.
    if (standbys) standbys->end_soon();
    signs->no_more_openings = true;
    stopping = true;  // of many questions at most the one that is being answered is waited for
    if (admin) {
      auto answers_no_more = detail::end_of(admin);
      detail::end_now(admin);
      admin = nullptr;
      stuck = answers_no_more.wait_for(detail::patience_with_stop) != std::future_status::ready;
    }
    auto outcome = tasks ? tasks->stop(stuck) : result<void>{};
    group.reset();
    if (standbys) standbys->stop();
    if (watchdog) watchdog->stop();
    if (retention) retention->stop();
    if (savepoints) savepoints->stop();
    stuck = !port->end_sealer() || stuck;
    // The lane holds the app: it goes last, or another process could take the app, and open the
    // state, while a T2 is still being written here.
    auto no_more_snapshots = detail::end_of(state_thread);
    detail::end_now(state_thread);
    stuck = stuck || (watchdog && watchdog->found_one());
    if (no_more_snapshots.wait_for(stuck
                                       ? detail::patience_after_failure
                                       : detail::patience_with_stop) == std::future_status::ready) {
      for (const auto& l : lanes) detail::end_now(l);
      for (const auto& l : lanes) {  // a system of its own waits for them itself
        if (!options.actors || stuck) break;
        stuck = detail::end_of(l).wait_for(detail::patience_with_stop) != std::future_status::ready;
      }
    } else {
      stuck = true;
      // Else a task is still being opened: nothing that was done is lost.
      if (outcome && signs->writing)
        outcome = fail(errc::timed_out, topology->app_name(), "a snapshot does not end");
    }
    if (stuck) {  // the process keeps what its threads may still use
      home->abandon();
      home.reset();
      (void)ledger.release();
      for (auto& p : pulses) (void)p.release();
      return outcome;
    }
    if (tasks) tasks->clear();
    lanes.clear();
    state_thread = nullptr;
    home.reset();
    ledger.reset();
    return outcome;
  }

  [[nodiscard]] result<void> check_runs() const {
    if (tasks && tasks->size() > 0) return {};
    return fail(errc::stopped, the_app.name(), "the host does not run", true);
  }

  result<std::vector<std::size_t>> tasks_of(const std::string& stage) const {
    if (auto runs = check_runs(); !runs) return fail(runs.error());
    if (auto keyed = topology->find_keyed(stage); !keyed) return fail(keyed.error());
    return tasks->of_stage(stage);
  }
};

host::host(const app& a, host_options options)
    : in_{std::make_unique<inside>(*this, a, std::move(options))} {}

host::~host() {
  if (in_) (void)in_->stop();
}

result<void> host::start() {
  auto started = in_->start();
  if (!started) (void)in_->stop();
  return started;
}

result<void> host::stop() { return in_->stop(); }

result<bool> host::wait_finished(std::chrono::milliseconds timeout) {
  return in_->wait_finished(timeout);
}

result<answer<bytes>> host::query_bytes(const std::string& stage, bytes_view placed_by,
                                        bytes_view state_key, query_options options) {
  auto tasks = in_->tasks_of(stage);
  if (!tasks) return fail(tasks.error());
  const auto p = partition_of(placed_by, static_cast<std::int32_t>(tasks->size()));
  auto found = in_->tasks->read((*tasks)[static_cast<std::size_t>(p.value)], bytes{state_key},
                                std::nullopt, 1, options);
  if (!found) return fail(found.error());
  answer<bytes> a;
  a.as_of = std::move(found->as_of.front());
  if (!found->entries.empty()) a.value = std::move(found->entries.front().value);
  return a;
}

result<state_entries> host::query_range(const std::string& stage, bytes_view placed_by,
                                        bytes_view from, bytes_view to, std::size_t limit,
                                        query_options options) {
  auto tasks = in_->tasks_of(stage);
  if (!tasks) return fail(tasks.error());
  const auto p = partition_of(placed_by, static_cast<std::int32_t>(tasks->size()));
  return in_->tasks->read((*tasks)[static_cast<std::size_t>(p.value)], bytes{from}, bytes{to},
                          limit, options);
}

result<state_entries> host::query_all(const std::string& stage, std::size_t limit,
                                      query_options options) {
  auto tasks = in_->tasks_of(stage);
  if (!tasks) return fail(tasks.error());
  state_entries all;
  for (const auto t : *tasks) {
    auto part = in_->tasks->read(t, {}, bytes{}, limit - all.entries.size(), options);
    if (!part) return fail(part.error());
    std::move(part->entries.begin(), part->entries.end(), std::back_inserter(all.entries));
    std::move(part->as_of.begin(), part->as_of.end(), std::back_inserter(all.as_of));
  }
  return all;
}

result<std::string> host::stage_of(const detail::aggregate_address& type) const {
  if (auto runs = in_->check_runs(); !runs) return fail(runs.error());
  auto stage = in_->topology->find_aggregate(type.aggregate, type.key_fingerprint);
  if (!stage) return fail(stage.error());
  return (*stage)->name;
}

void host::send(command_call call, const detail::aggregate_address& type,
                std::chrono::milliseconds timeout) {
  if (auto runs = in_->check_runs(); !runs) {
    kappa::tell(call.done, runs.error());
    return;
  }
  detail::command_router{*in_->topology, *in_->tasks, in_->others.get()}.send(std::move(call), type,
                                                                              timeout);
}

std::shared_ptr<detail::command_port> detail::command_port::of(const host& h) {
  return h.in_->port;
}

key_ring* host::keys() const { return in_->keys.get(); }

std::vector<task_status> host::status() const {
  return in_->board ? in_->board->all() : std::vector<task_status>{};
}

const std::string& host::instance() const { return in_->instance; }
timestamp host::started_at() const { return in_->started; }

std::optional<error> host::failure() const {
  return in_->board ? in_->board->failure() : std::nullopt;
}

const topology& host::topology() const { return *in_->topology; }
event_log& host::log() { return *in_->log; }

std::string host::metrics() const {
  return detail::metrics_text(in_->topology->app_name(), status());
}

}  // namespace kappa
