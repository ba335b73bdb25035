#include "kappa/task/local_runner.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "kappa/task/aggregate_task.hpp"

namespace kappa {

std::filesystem::path task_folder(const std::filesystem::path& app_state, const task_id& id) {
  return app_state / fmt::format("{}.g{}", id.stage, id.generation.value) /
         std::to_string(id.partition.value);
}

result<void> local_runner::open() {
  auto layout = lay_out(*options_.topology, *options_.log, options_.layout);
  if (!layout) return fail(layout.error());
  layout_ = std::move(*layout);
  lane_ = std::make_unique<commit_lane>(
      options_.log, writer_options{options_.topology->app_name(), "local runner"}, options_.log_to);
  if (auto opened = lane_->open(); !opened) {
    crash();
    return opened;
  }
  for (const auto& stage : options_.topology->stages()) {
    const auto& where = layout_.at(stage.name);
    for (std::int32_t p = 0; p < where.tasks; ++p) {
      result<std::unique_ptr<runnable_task>> t = fail(errc::stopped, "", "");
      if (stage.source) {
        source_task_options o;
        o.topology = options_.topology;
        o.stage = stage.name;
        o.log = options_.log;
        o.layout = where;
        o.limits = options_.limits;
        o.on_failure = options_.on_failure;
        o.clock = options_.clock;
        o.log_to = options_.log_to;
        o.watcher = options_.watcher;
        t = open_source_task(std::move(o));
      } else if (stage.aggregate) {
        auto o = aggregate_options_of(stage, partition{p}, where);
        o.log = options_.log;
        o.state_folder = task_folder(options_.state_folder, o.id);
        o.commands = commands(stage.name, partition{p});
        o.keys = options_.keys;
        o.limits = options_.limits;
        o.clock = options_.clock;
        o.log_to = options_.log_to;
        t = open_aggregate_task(std::move(o));
      } else {
        task_options o;
        o.topology = options_.topology;
        o.stage = stage.name;
        o.partition = partition{p};
        o.log = options_.log;
        o.layout = where;
        o.state_folder = task_folder(options_.state_folder,
                                     {stage.app, stage.name, stage.generation, partition{p}});
        o.limits = options_.limits;
        o.on_failure = options_.on_failure;
        o.until_end = options_.until_end;
        o.clock = options_.clock;
        o.log_to = options_.log_to;
        o.watcher = options_.watcher;
        t = open_task(std::move(o));
      }
      if (!t) {
        crash();
        return fail(t.error());
      }
      tasks_.push_back(std::move(*t));
    }
  }
  return {};
}

void local_runner::crash() {
  tasks_.clear();
  lane_.reset();
}

result<void> local_runner::write_snapshot(runnable_task& t) {
  while (auto delta = t.snapshot_ready()) {
    if (auto written = t.store()->commit(*delta); !written) return written;
    t.snapshot_done();
  }
  return {};
}

result<void> local_runner::commit(runnable_task& t, bool final) {
  auto closed = t.close(options_.clock(), final);
  if (!closed) return fail(closed.error());
  if (*closed) {
    const std::array<epoch_ptr, 1> one{*closed};
    for (int attempt = 0;; ++attempt) {
      auto bases = lane_->commit(one);
      if (bases) {
        t.committed((*closed)->number, bases->front());
        committed_ = true;
        break;
      }
      if (!bases.error().retriable || attempt >= 100) return fail(bases.error());
    }
  }
  return write_snapshot(t);
}

result<bool> local_runner::run_until_quiet(const pass_options& options) {
  for (bool any = true; any;) {
    any = false;
    for (auto& t : tasks_) {
      for (bool more = true; more;) {
        auto status = t->run(options.budget);
        if (!status) return fail(status.error());
        more = status->more || status->blocked;
        committed_ = false;
        if (options.when_due && more && !status->blocked && !t->should_close(options_.clock())) {
          any = true;
          continue;
        }
        if (auto done = commit(*t, options.snapshots); !done) return fail(done.error());
        if (status->steps > 0 || committed_) any = true;
        if (!committed_ && status->blocked) {
          return fail(errc::unavailable, t->id().text(), "blocked, and nothing to commit");
        }
        if (committed_ && options.after_commit && !options.after_commit()) return false;
      }
    }
  }
  return true;
}

result<void> local_runner::snapshot_all() {
  for (auto& t : tasks_) {
    if (auto done = commit(*t, true); !done) return done;
  }
  return {};
}

void local_runner::advance_event_time(timestamp t) {
  for (auto& task : tasks_) task->advance_event_time(t);
}

bool local_runner::finished() const {
  return std::all_of(tasks_.begin(), tasks_.end(), [](const auto& t) { return t->finished(); });
}

std::vector<runnable_task*> local_runner::tasks() {
  std::vector<runnable_task*> all;
  for (auto& t : tasks_) all.push_back(t.get());
  return all;
}

runnable_task* local_runner::find(const std::string& stage, partition p) {
  for (auto& t : tasks_) {
    if (t->id().stage == stage && t->id().partition == p) return t.get();
  }
  return nullptr;
}

}  // namespace kappa
