// kappa get: the state under a key.

#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "decoding.hpp"
#include "host_of.hpp"
#include "kappa/actors/admin_client.hpp"
#include "output.hpp"
#include "stopped_app.hpp"

namespace kappa::tools {
namespace {

struct get_options {
  std::string stage;
  std::string key;
  std::string window;
  bool latest = false;
};

std::string where(const admin::input_position& p) {
  return topic_partition{p.topic, partition{p.partition}}.text();
}

std::string positions_text(const admin::found& f) {
  std::string out;
  for (const auto& p : f.as_of) {
    out += fmt::format("{}{}@{}", out.empty() ? "" : " ", where(p), p.next);
  }
  return out.empty() ? "no position yet" : out;
}

std::string json_of_found(const admin::found& f, bool running) {
  std::string entries;
  for (const auto& e : f.entries) {
    entries += entries.empty() ? "" : ",";
    entries += f.windowed ? fmt::format(R"({{"window":{},"value":{}}})", to_json(e.window), e.value)
                          : fmt::format(R"({{"value":{}}})", e.value);
  }
  std::string as_of;
  for (const auto& p : f.as_of) {
    as_of += fmt::format("{}{}:{}", as_of.empty() ? "" : ",", json_text(where(p)), p.next);
  }
  return fmt::format(
      "{{\"stage\":{},\"key\":{},\"running\":{},\"stale\":{},\"as_of\":{{{}}},\"entries\":[{}]}}\n",
      json_text(f.stage), json_text(f.key), running, f.stale, as_of, entries);
}

result<admin::found> find(app_at_hand& at, const common_options& common, const get_options& o) {
  if (at.holder) {
    admin::get_request question;
    question.stage = o.stage;
    question.key = o.key;
    question.window = o.window;
    question.level = o.latest ? admin::level::latest : admin::level::committed;
    auto found = admin_client{at.log, at.app}.get(question, answer_patience);
    if (!found) return fail(found.error());
    if (*found) return std::move(**found);
    at.holder.reset();
  }
  return get_from_stopped(*at.log, at.app, common.state, o.stage, o.key, o.window);
}

int get(const common_options& common, const get_options& o) {
  auto at = open_app(common);
  if (!at) return complain(at.error());
  auto found = find(*at, common, o);
  if (!found) return complain(found.error());
  const bool running = at->holder.has_value();
  if (common.json && !put(json_of_found(*found, running))) return exit_failed;
  if (!common.json) {
    for (const auto& e : found->entries) {
      if (!put(found->windowed ? fmt::format("{}  {}\n", format_time(e.window), e.value)
                               : e.value + "\n")) {
        return exit_failed;
      }
    }
  }
  const auto as_of = fmt::format(
      "as of {}{}{}", positions_text(*found),
      running ? "" : "; the app is not running: this is its last snapshot",
      found->stale ? "; still replaying: this may be older than what was there before" : "");
  if (!found->entries.empty() && !common.json) fmt::print(stderr, "{}\n", as_of);
  if (!found->entries.empty()) return exit_done;
  return complain({errc::not_found, o.stage,
                   fmt::format("there is no state under key {}{}, {}", o.key,
                               o.window.empty() ? "" : " in window " + o.window, as_of)},
                  exit_failed);
}

}  // namespace

void add_get(command_line& line) {
  auto o = std::make_shared<get_options>();
  auto& cli = line.add("get", "The state under a key, as JSON",
                       [o](const common_options& common) { return get(common, *o); });
  cli.add_option("STAGE", o->stage, "See kappa status")->required();
  cli.add_option("KEY", o->key, "A text, an integer, a time, or JSON, as the key is")->required();
  cli.add_option("--window", o->window, "Start of the window; absent: all windows of the key");
  cli.add_flag("--latest", o->latest, "Of a running app: what is not yet durable too");
}

}  // namespace kappa::tools
