// kappa replay: erases a stage's state and builds it again from the log.

#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "host_of.hpp"
#include "job.hpp"
#include "kappa/actors/admin_client.hpp"
#include "kappa/serialization/json.hpp"
#include "output.hpp"
#include "progress_note.hpp"
#include "stopped_app.hpp"

namespace kappa::tools {
namespace {

struct replay_options {
  std::string stage;
  std::optional<std::int32_t> partition;
};

std::string text_of_progress(const admin::replay_progress& p) {
  auto out = fmt::format("{}: {} of {}", p.stage, p.done, p.total);
  if (p.seconds_left >= 0) out += fmt::format(", {:.0f} s left", p.seconds_left);
  return out;
}

// `state`: of the whole.
std::string json_of_progress(const admin::replay_progress& p, const std::string& state) {
  std::string out;
  json_writer w{out};
  const auto rest = [&](std::uint64_t done, std::uint64_t total, double seconds_left) {
    w.member("done");
    w.integer(done);
    w.member("total");
    w.integer(total);
    w.member("secondsLeft");
    seconds_left < 0 ? w.null() : w.number(seconds_left);
  };
  w.begin_object();
  w.member("stage");
  w.text(p.stage);
  w.member("state");
  w.text(state);
  w.member("tasks");
  w.begin_array();
  for (const auto& t : p.tasks) {
    w.begin_object();
    w.member("partition");
    w.integer(std::int64_t{t.partition});
    w.member("state");
    w.text(text_of(t.state));
    rest(t.done, t.total, t.seconds_left);
    w.end_object();
  }
  w.end_array();
  rest(p.done, p.total, p.seconds_left);
  w.end_object();
  return out + "\n";
}

// Until the host says that it is done.
int follow_replay(const app_at_hand& at, admin_call& call, const common_options& common) {
  progress_note note{"replaying"};
  bool accepted = false;
  for (std::chrono::milliseconds silent{0};;) {
    constexpr std::chrono::milliseconds beat{1000};
    auto reply = call.next(beat);
    if (!reply) return complain(reply.error());
    if (!*reply) {
      silent += beat;
      auto holder = at.log->holder(at.app);
      if (!holder) return complain(holder.error());
      if (!*holder) {
        note.clear();
        return complain({errc::unavailable, "app " + at.app,
                         accepted ? "has stopped: the replay goes on at its next start"
                                  : "has stopped: the replay is done at its next start"});
      }
      if (!accepted && silent >= answer_patience) {
        note.clear();
        return complain({errc::timed_out, "app " + at.app,
                         fmt::format("{} has it and does not answer", **holder)});
      }
      continue;
    }
    accepted = true;
    note.clear();
    if (const auto* p = std::get_if<admin::problem>(&(*reply)->which)) {
      return complain(error_of(*p));
    }
    const auto* progress = std::get_if<admin::replay_progress>(&(*reply)->which);
    if (progress == nullptr) {
      return complain({errc::decode, "app " + at.app, "answered something else than a replay"});
    }
    if (common.json && !put(json_of_progress(*progress, text_of(progress->state))))
      return exit_failed;
    if (!(*reply)->last) {
      note.show(text_of_progress(*progress));
      continue;
    }
    for (const auto& t : progress->tasks) {
      if (t.state == admin::task_replay_state::failed) {
        return complain({errc::refused_start, fmt::format("{}[{}]", progress->stage, t.partition),
                         "could not be replayed; kappa status tells why"});
      }
    }
    if (!common.json) fmt::print("replayed {} records of {}\n", progress->done, progress->stage);
    return exit_done;
  }
}

// Where several processes may run the app. Whoever stops waiting stops nothing.
int replay_everywhere(const app_at_hand& at, const common_options& common,
                      const replay_options& o) {
  if (o.partition.value_or(0) < 0) {
    return complain({errc::bad_config, "--partition", "0 or more; without it all are replayed"},
                    exit_usage);
  }
  progress_note note{"replaying"};
  bool printed = true;
  auto done = admin_client{at.log, at.app}.replay(
      o.stage, o.partition.value_or(-1), [&](const admin::replay_progress& p) {
        note.clear();
        if (common.json) printed = put(json_of_progress(p, text_of(p.state)));
        note.show(text_of_progress(p));
        return printed;
      });
  note.clear();
  if (!done) return complain(done.error());
  if (!*done) {
    return complain({errc::unavailable, "app " + at.app,
                     "is not running: start it, and ask again; on Kafka a replay is ordered of the "
                     "processes that have the tasks"});
  }
  if (common.json) {
    printed = printed && put(json_of_progress(**done, text_of((*done)->state)));
  } else {
    printed = put(fmt::format("replayed {} records of {}\n", (*done)->done, (*done)->stage));
  }
  return printed ? exit_done : exit_failed;
}

int run_program(const common_options& common, const replay_options& o) {
  if (o.partition) {
    return complain({errc::bad_config, "--partition",
                     "a program replays all partitions of a stage: leave it out, or leave the "
                     "program out"},
                    exit_usage);
  }
  auto words = common.program;
  words.insert(words.end(), {"--replay", o.stage, "--replay-only"});
  std::vector<char*> argv;
  for (auto& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  return complain({errc::io, words.front(), fmt::format("cannot be run: {}", std::strerror(errno))},
                  exit_refused);
}

int replay(const common_options& common, const replay_options& o) {
  if (!common.program.empty()) return run_program(common, o);
  auto at = open_app(common, true);
  if (!at) return complain(at.error());
  if (at->log->places_tasks()) return replay_everywhere(*at, common, o);
  admin::replay_progress requested;
  requested.stage = o.stage;
  // Of a running app the host knows better, but -1 is all partitions to it.
  if (!at->holder || o.partition.value_or(0) < 0) {
    auto stage = find_keyed_stage(*at->log, at->app, o.stage);
    if (!stage) return complain(stage.error());
    auto there = check_partition(o.stage, stage->tasks, o.partition.value_or(0));
    if (!there) return complain(there.error());
    for (std::int32_t p = 0; p < stage->tasks; ++p) {
      if (o.partition.value_or(p) == p) requested.tasks.emplace_back().partition = p;
    }
  }
  const admin_client client{at->log, at->app};
  auto call =
      client.send(admin::replay_request{.stage = o.stage, .partition = o.partition.value_or(-1)});
  if (!call) return complain(call.error());
  if (at->holder) return follow_replay(*at, *call, common);
  if (common.json) {
    return put(json_of_progress(requested, "requested")) ? exit_done : exit_failed;
  }
  return put(fmt::format("app {} is not running: the replay of {} is begun at its next start.\n"
                         "To do it now: kappa replay {} -- PROGRAM ARGUMENTS…\n",
                         at->app, o.stage, o.stage))
             ? exit_done
             : exit_failed;
}

}  // namespace

void add_replay(command_line& line) {
  auto o = std::make_shared<replay_options>();
  auto& cli = line.add("replay", "Builds the state of a stage again from the log",
                       [o](const common_options& common) { return replay(common, *o); });
  cli.add_option("STAGE", o->stage, "See kappa status")->required();
  cli.add_option("--partition", o->partition, "This one only");
  cli.footer(
      "A running app does it while it goes on, a stopped one at its next start.\n"
      "kappa replay STAGE -- PROGRAM ARGUMENTS… runs the stopped app's program for it now.");
}

}  // namespace kappa::tools
