// kappa dead-letters: what could not be processed, and why.

#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "decoding.hpp"
#include "job.hpp"
#include "kappa/log/envelope.hpp"
#include "output.hpp"
#include "selection.hpp"
#include "stopped_app.hpp"

namespace kappa::tools {
namespace {

struct dead_letter_options {
  std::vector<std::string> words;  // "show", and which
  std::string stage;
  selection what;
};

// Text for a terminal: what is not UTF-8 is replaced, what would steer the terminal escaped.
std::string header(const record_view& r, bytes_view name) {
  const auto text = from_json<std::string>(json_text(r.headers.find(name).value_or(bytes_view{})));
  return printable(*text, 400);
}

// One for people: where, when, what.
std::string summary(const record_view& r, const std::string& key) {
  const auto timer = header(r, "kappa.timer");
  return fmt::format("{:>6}  {}  {}  {} in {}: {}: {}{}{}\n", r.offset, format_time(r.time),
                     header(r, "kappa.position"), header(r, "kappa.operator"),
                     header(r, "kappa.stage"), header(r, "kappa.code"), header(r, "kappa.error"),
                     timer.empty() ? "" : "; timer " + timer,
                     r.key ? "; key " + key : std::string{});
}

// By its offset among the dead letters, or the position of its original.
int show_one(event_log& log, decoders& decode, const std::string& topic,
             const std::string& position) {
  selection all;
  all.topic = topic;
  all.from = "earliest";
  const bool by_offset = position.find_first_not_of("0123456789") == std::string::npos;
  all.wanted = [&](const record_view& r) {
    return by_offset ? fmt::format("{}", r.offset) == position
                     : r.headers.find("kappa.position") == bytes_view{position};
  };
  if (by_offset) {
    all.from = position;
    all.count = 1;
    all.wanted = [&](const record_view&) { return true; };
  }
  bool found = false;
  const auto code = show_records(log, all, [&](const topic_walk::found& f) -> result<bool> {
    if (by_offset && fmt::format("{}", f.record.offset) != position) return false;
    found = true;
    auto line = decode.line(f.where, f.record);
    if (!line) return fail(line.error());
    return put(*line + "\n");
  });
  if (code != exit_done || found) return code;
  return complain({errc::not_found, position,
                   "no such dead letter; kappa dead-letters lists them: name the number in the "
                   "first column, or the position"},
                  exit_failed);
}

int dead_letters(const common_options& common, dead_letter_options options) {
  auto log = open_log_of(common, access::read);
  if (!log) return complain(log.error());
  auto app = app_of(**log, common);
  if (!app) return complain(app.error());
  options.what.topic = *app + ".dead-letters";
  decoders decode{**log};
  if (!options.words.empty()) {
    if (options.words.size() != 2 || options.words[0] != "show") {
      return complain({errc::bad_config, "command line",
                       "expected nothing, or show POSITION (see kappa dead-letters --help)"},
                      exit_usage);
    }
    return show_one(**log, decode, options.what.topic, options.words[1]);
  }
  if (!options.stage.empty()) {
    auto known = check_stage(**log, *app, options.stage);
    if (!known) return complain(known.error());
  }
  if (!options.what.count && !options.what.follow && options.what.from.empty()) {
    options.what.from = "earliest";
  }
  options.what.wanted = [&](const record_view& r) {
    return options.stage.empty() || r.headers.find("kappa.stage") == bytes_view{options.stage};
  };
  bool any = false;
  const auto code =
      show_records(**log, options.what, [&](const topic_walk::found& f) -> result<bool> {
        any = true;
        if (common.json) {
          auto line = decode.line(f.where, f.record);
          if (!line) return fail(line.error());
          return put(*line + "\n");
        }
        const auto key = f.record.key ? json_of_unknown(*f.record.key) : std::string{};
        return put(summary(f.record, key));
      });
  if (code == exit_done && !any && !common.json && !options.what.follow) {
    fmt::print(stderr, "no dead letters{}\n",
               options.stage.empty() ? "" : " of stage " + options.stage);
  }
  return code;
}

}  // namespace

void add_dead_letters(command_line& line) {
  auto o = std::make_shared<dead_letter_options>();
  auto& cli = line.add("dead-letters", "What could not be processed, where and why",
                       [o](const common_options& common) { return dead_letters(common, *o); });
  cli.add_option("show", o->words,
                 "show POSITION: one of them whole, by its number (first column) or by the "
                 "position of its original")
      ->expected(0, 2);
  cli.add_option("--stage", o->stage, "Of this stage only");
  cli.add_option("-n,--count", o->what.count, "The last ones only")->check(check_count);
  cli.add_flag("--follow", o->what.follow, "Go on with what comes, until Ctrl-C");
}

}  // namespace kappa::tools
