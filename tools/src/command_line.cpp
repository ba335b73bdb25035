#include "command_line.hpp"

#include <csignal>
#include <cstdio>
#include <fstream>

#include <unistd.h>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "job.hpp"
#include "kappa/version.hpp"

namespace kappa::tools {

int complain(const error& e, int code) {
  fmt::print(stderr, "error: {}\n", e.text());
  return code;
}

int complain(const error& e) {
  switch (e.code) {
    case errc::bad_config:
    case errc::invalid_argument:
      return complain(e, exit_usage);
    case errc::io:
    case errc::denied:
    case errc::owned:
    case errc::incompatible:
    case errc::fenced:
    case errc::refused_start:
    case errc::unavailable:
    case errc::elsewhere:
    case errc::stopped:
    case errc::quarantined:
      return complain(e, exit_refused);
    default:
      return complain(e, exit_failed);
  }
}

std::string check_count(const std::string& value) {
  return value.starts_with('-') ? "expected 0 or more, not " + value : std::string{};
}

struct command_line::inside {
  struct command {
    CLI::App* cli;
    run_fn run;
  };

  CLI::App cli{"Looks at a Kappa app, running or stopped, and acts on it.", "kappa"};
  common_options common;
  std::string config;
  std::vector<std::string> kafka_set;
  std::vector<command> commands;
  int exit_code = exit_done;  // of commands that run while the line is parsed

  int wrong(const std::string& why, const CLI::App& where) {
    return complain(
        {errc::bad_config, "command line",
         fmt::format("{} (see {} --help)", why,
                     where.get_display_name() == "kappa" ? "kappa" : "kappa " + where.get_name())},
        exit_usage);
  }

  int unknown_command(const std::string& word) {
    std::vector<std::string> names;
    for (const auto* c : cli.get_subcommands([](const CLI::App*) { return true; })) {
      if (!c->get_group().empty()) names.push_back(c->get_name());  // the others are hidden
    }
    return wrong(fmt::format("unknown command {}{}", word, did_you_mean(word, names)), cli);
  }

  int unknown_argument(const CLI::App& where, const std::string& word) {
    std::vector<std::string> names;
    for (const auto* o : where.get_options()) {
      for (const auto& l : o->get_lnames()) names.push_back("--" + l);
    }
    const auto bare = word.substr(0, word.find('='));  // what is behind it may be a secret
    return wrong(fmt::format("unknown argument {}{}", bare,
                             bare.starts_with("-") ? did_you_mean(bare, names) : std::string{}),
                 where);
  }

  // Of the config file, which is a program's: what else is in it is the program's own.
  result<void> read_kafka_settings() {
    kafka_settings of_file;
    if (!config.empty()) {
      std::ifstream in{config};
      if (!in) return fail(errc::bad_config, "--config", fmt::format("cannot read {}", config));
      auto lines = take_kafka_config_lines(in);
      if (!lines) return fail(lines.error());
      of_file = std::move(lines->settings);
    }
    common.kafka_settings = merged({of_file, kafka_settings_of_environment(environ)});
    for (const auto& setting : kafka_set) {
      if (auto set = set_from_command_line(common.kafka_settings, setting); !set) return set;
    }
    return {};
  }
};

command_line::command_line() : in_{std::make_unique<inside>()} {
  auto& cli = in_->cli;
  cli.set_version_flag("--version", fmt::format("kappa {}", version::text));
  cli.footer(
      "kappa COMMAND --help tells more of each. Exit codes: 0 done; 1 failed, damaged or "
      "nothing found;\n2 the command line is wrong; 3 cannot be opened, or refused.");
}
command_line::~command_line() = default;

CLI::App& command_line::add(const std::string& name, const std::string& help, run_fn run) {
  auto* cli = in_->cli.add_subcommand(name, help);
  cli->allow_extras();
  cli->footer("");  // the root's is inherited
  auto& common = in_->common;
  cli->add_option("--log", common.log, "The log: lmdb:FOLDER or kafka://HOST:PORT")
      ->capture_default_str();
  cli->add_option("--state", common.state, "Where the state partitions are")->capture_default_str();
  cli->add_option("--app", common.app, "The app; needed where the log holds several");
  cli->add_flag("--json", common.json, "For machines");
  cli->add_option("--config", in_->config,
                  "A program's config file: of it, the settings of Kafka (kafka.NAME=VALUE)");
  cli->add_option("--kafka-set", in_->kafka_set,
                  "NAME=VALUE: a setting of librdkafka that is no secret; may be repeated")
      ->allow_extra_args(false);
  in_->commands.push_back({cli, std::move(run)});
  return *cli;
}

CLI::App& command_line::root() { return in_->cli; }
int& command_line::exit_code() { return in_->exit_code; }

int command_line::run(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that has seen enough: writing fails, which ends us
  std::vector<std::string> words;
  int at = 1;
  for (; at < argc && std::string_view{argv[at]} != "--"; ++at) words.emplace_back(argv[at]);
  const bool program_asked = at < argc;
  for (++at; at < argc; ++at) in_->common.program.emplace_back(argv[at]);
  const std::vector<std::string> backwards{words.rbegin(), words.rend()};
  auto& cli = in_->cli;
  cli.allow_extras();  // so that the nearest right word can be named
  if (program_asked && (words.empty() || words.front() != "replay")) {
    return in_->wrong("only replay takes a program behind --", cli);
  }
  if (program_asked && in_->common.program.empty()) {
    return in_->wrong(
        "there is no program behind --: replay STAGE -- PROGRAM ARGUMENTS…, or leave -- out", cli);
  }
  try {
    auto left = backwards;
    cli.parse(left);
  } catch (const CLI::CallForHelp& e) {
    return cli.exit(e);
  } catch (const CLI::CallForVersion& e) {
    return cli.exit(e);
  } catch (const CLI::ParseError& e) {
    const auto parsed = cli.get_subcommands();
    return in_->wrong(e.what(), parsed.empty() ? cli : *parsed.front());
  }
  for (auto& c : in_->commands) {
    if (!c.cli->parsed()) continue;
    // Behind the command they are the command's, even where the parent was asked first.
    for (const auto* app :
         {const_cast<const CLI::App*>(c.cli), const_cast<const CLI::App*>(&cli)}) {
      const auto extras = app->remaining();
      if (!extras.empty()) return in_->unknown_argument(*c.cli, extras.front());
    }
    if (auto read = in_->read_kafka_settings(); !read) return complain(read.error());
    return c.run(in_->common);
  }
  if (!cli.get_subcommands().empty()) return in_->exit_code;
  const auto extras = cli.remaining();
  if (!extras.empty()) {
    return extras.front().starts_with("-") ? in_->unknown_argument(cli, extras.front())
                                           : in_->unknown_command(extras.front());
  }
  fmt::print(stderr, "{}", cli.help());
  return exit_usage;
}

}  // namespace kappa::tools
