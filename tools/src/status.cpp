// kappa status: stages and tasks, how far they are, and how they are.

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "host_of.hpp"
#include "kappa/actors/admin_client.hpp"
#include "output.hpp"
#include "status_json.hpp"
#include "stopped_app.hpp"
#include "table.hpp"

namespace kappa::tools {
namespace {

std::string time_or_dash(timestamp t) {
  return t == timestamp{} || t == min_time ? "-" : t == max_time ? "end" : format_time(t);
}

std::string size_text(std::uint64_t bytes) {
  if (bytes < 10'000) return fmt::format("{} B", bytes);
  constexpr const char* units[] = {"kB", "MB", "GB", "TB"};
  auto v = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (v /= 1000; v >= 1000 && unit < 3; v /= 1000) ++unit;
  return fmt::format("{:.1f} {}", v, units[unit]);
}

std::string names_of(const std::vector<admin::process_status>& processes) {
  std::string names;
  for (const auto& p : processes) names += (names.empty() ? "" : ", ") + p.instance;
  return names;
}

std::string health_of(const admin::task_status& t) {
  switch (t.health) {
    case admin::health::unanswered:
      return "not answering";
    case admin::health::unowned:
      return "nobody has it";
    default:
      return text_of(t.health);
  }
}

// Who runs it.
std::string heading(const admin::status& s, const std::optional<std::string>& holder,
                    const std::string& state) {
  if (!holder) {
    return fmt::format(
        "app {}, not running: as of the positions below, from {} and the state in "
        "{}\n",
        s.app, s.log, state);
  }
  const auto failure = [](bool failed, const admin::problem& p) {
    return failed ? fmt::format("failed: {}: {}\n", p.subject, p.message) : std::string{};
  };
  if (s.processes.empty()) {
    return fmt::format("app {}, run by {} since {}, on {}\n", s.app, s.instance,
                       time_or_dash(s.started), s.log) +
           failure(s.failed, s.failure);
  }
  auto out = fmt::format("app {}, run by {} process{}, on {}\n", s.app, s.processes.size(),
                         s.processes.size() == 1 ? "" : "es", s.log);
  for (const auto& p : s.processes) {
    out += p.answers ? fmt::format("{} since {}\n", p.instance, time_or_dash(p.started))
                     : fmt::format("{} does not answer: of its tasks there is what the log has\n",
                                   p.instance);
    out += failure(p.failed, p.failure);
  }
  return out;
}

std::string for_people(const admin::status& s, const std::optional<std::string>& holder,
                       const std::string& state) {
  const bool several = !s.processes.empty();
  std::vector<text_table::column> columns{
      {"task"},        {"health"},        {"lag", true},          {"watermark"},   {"epoch", true},
      {"state", true}, {"entries", true}, {"dead letters", true}, {"next to read"}};
  if (several) columns.insert(columns.begin() + 1, text_table::column{"run by"});
  text_table table{std::move(columns)};
  std::string problems;
  for (const auto& stage : s.stages) {
    for (const auto& t : stage.tasks) {
      const auto name = fmt::format("{}.g{}[{}]", stage.name, stage.generation, t.partition);
      std::string inputs;
      for (const auto& in : t.inputs) {
        inputs += fmt::format("{}{}@{}", inputs.empty() ? "" : " ", in.topic, in.next);
      }
      const bool told = holder.has_value() && was_told(t);
      auto health = health_of(t);
      if (told && t.phase == admin::phase::replaying) {
        health = fmt::format("replaying {}/{}", t.replayed, t.replay_total);
      }
      const bool lag_known = knows_lag(stage, t, told);
      const bool state_known = !stage.source && (told || !holder);
      std::vector<std::string> cells{name,
                                     health,
                                     lag_known ? std::to_string(t.lag) : "unknown",
                                     time_or_dash(t.watermark),
                                     std::to_string(t.epoch),
                                     state_known ? size_text(t.state_used_bytes) : "-",
                                     state_known ? std::to_string(t.state_entries) : "-",
                                     told ? std::to_string(t.dead_letters) : "-",
                                     inputs};
      if (several) cells.insert(cells.begin() + 1, t.instance.empty() ? "-" : t.instance);
      table.add(std::move(cells));
      if (!t.last_error.empty()) problems += fmt::format("{}: {}\n", name, t.last_error);
    }
  }
  return heading(s, holder, state) + table.text() + problems;
}

int status(const common_options& common, const std::string& stage) {
  auto at = open_app(common);
  if (!at) return complain(at.error());
  admin::status s;
  if (at->holder) {
    auto told = admin_client{at->log, at->app}.status(stage, answer_patience);
    if (!told) return complain(told.error());
    if (*told) {
      s = std::move(**told);
      if (!s.processes.empty()) at->holder = names_of(s.processes);
    } else {
      at->holder.reset();
    }
  }
  if (!at->holder) {
    auto found = status_of_stopped(*at->log, at->app, common.state, stage);
    if (!found) return complain(found.error());
    s = std::move(*found);
  }
  // A host tells them in the order of the data's way, which the log does not know.
  std::sort(s.stages.begin(), s.stages.end(), [](const auto& a, const auto& b) {
    return std::pair{a.name, a.generation} < std::pair{b.name, b.generation};
  });
  if (common.json) return put(json_of_status(s, at->holder) + "\n") ? exit_done : exit_failed;
  return put(for_people(s, at->holder, common.state.string())) ? exit_done : exit_failed;
}

}  // namespace

void add_status(command_line& line) {
  auto stage = std::make_shared<std::string>();
  auto& cli = line.add("status", "Stages and tasks: health, lag, watermark, state, positions",
                       [stage](const common_options& common) { return status(common, *stage); });
  cli.add_option("STAGE", *stage, "This stage only");
}

}  // namespace kappa::tools
