// kappa status: stages and tasks, how far they are, and how they are.

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "host_of.hpp"
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

std::string for_people(const admin::status& s, const std::optional<std::string>& holder,
                       const std::string& state) {
  std::string out;
  if (holder) {
    out = fmt::format("app {}, run by {} since {}, on {}\n", s.app, s.instance,
                      time_or_dash(s.started), s.log);
    if (s.failed) out += fmt::format("failed: {}: {}\n", s.failure.subject, s.failure.message);
  } else {
    out = fmt::format(
        "app {}, not running: as of the positions below, from {} and the state in "
        "{}\n",
        s.app, s.log, state);
  }
  text_table table{{{"task"},
                    {"health"},
                    {"lag", true},
                    {"watermark"},
                    {"epoch", true},
                    {"state", true},
                    {"entries", true},
                    {"dead letters", true},
                    {"next to read"}}};
  std::string problems;
  for (const auto& stage : s.stages) {
    for (const auto& t : stage.tasks) {
      const auto name = fmt::format("{}.g{}[{}]", stage.name, stage.generation, t.partition);
      std::string inputs;
      for (const auto& in : t.inputs) {
        inputs += fmt::format("{}{}@{}", inputs.empty() ? "" : " ", in.topic, in.next);
      }
      auto health = text_of(t.health);
      if (holder && t.phase == admin::phase::replaying) {
        health = fmt::format("replaying {}/{}", t.replayed, t.replay_total);
      }
      const bool lag_known = knows_lag(stage, t, holder.has_value());
      table.add({name, health, lag_known ? std::to_string(t.lag) : "unknown",
                 time_or_dash(t.watermark), std::to_string(t.epoch),
                 stage.source ? "-" : size_text(t.state_used_bytes),
                 stage.source ? "-" : std::to_string(t.state_entries),
                 holder ? std::to_string(t.dead_letters) : "-", inputs});
      if (!t.last_error.empty()) problems += fmt::format("{}: {}\n", name, t.last_error);
    }
  }
  return out + table.text() + problems;
}

int status(const common_options& common, const std::string& stage) {
  auto at = open_app(common);
  if (!at) return complain(at.error());
  admin::status s;
  if (at->holder) {
    auto reply = ask_or_find_it_gone(*at, admin::status_request{.stage = stage});
    if (!reply) return complain(reply.error());
    if (*reply) {
      const auto* told = std::get_if<admin::status>(&(*reply)->which);
      if (told == nullptr) {
        return complain(
            {errc::decode, "app " + at->app, "answered something else than its status"});
      }
      s = *told;
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
