#include "kappa/actors/run.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>
#include <stdexcept>

#include <pthread.h>
#include <unistd.h>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "actors/logfmt.hpp"
#include "actors/passing_state.hpp"
#include "actors/progress_line.hpp"
#include "kappa/actors/http_server.hpp"
#include "kappa/core/suggest.hpp"
#include "kappa/log/kafka_settings.hpp"
#include "kappa/log/open_log.hpp"

namespace kappa {
namespace {

constexpr std::size_t most_worker_threads = 1024;
constexpr int exit_failed = 1;
constexpr int exit_usage = 2;
constexpr int exit_refused = 3;

int complain(const error& e, int code) {
  fmt::print(stderr, "error: {}\n", e.text());
  return code;
}

// Durations as people write them: "5ms", "2s", "10min"; a bare number is milliseconds.
std::string duration(const std::string& text, milliseconds& out) {
  std::size_t at = 0;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  if (at == 0 || at > 12) return "expected a duration as 100ms, 5s, 10min: " + text;
  const auto n = std::stoll(text.substr(0, at));
  const auto unit = text.substr(at);
  const std::int64_t factor = unit == "ms" || unit.empty() ? 1
                              : unit == "s"                ? 1000
                              : unit == "min"              ? 60'000
                              : unit == "h"                ? 3'600'000
                                                           : 0;
  if (factor == 0) return "expected a duration as 100ms, 5s, 10min: " + text;
  out = milliseconds{n * factor};
  return "";
}

log_sink make_logger(const std::string& level) {
  auto logger =
      std::make_shared<spdlog::logger>("kappa", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(spdlog::level::from_str(level));
  logger->set_pattern("ts=%Y-%m-%dT%H:%M:%S.%eZ level=%l %v", spdlog::pattern_time_type::utc);
  return
      [logger](log_level l, std::string_view what, const std::initializer_list<log_field>& fields) {
        const auto to = l == log_level::debug     ? spdlog::level::debug
                        : l == log_level::info    ? spdlog::level::info
                        : l == log_level::warning ? spdlog::level::warn
                                                  : spdlog::level::err;
        if (!logger->should_log(to)) return;
        logger->log(to, "{}", detail::logfmt_line(what, fields));
      };
}

// A section, or a key with dots, in a file that has neither.
struct misplaced_key : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Keys stand alone: CLI11 would take [section] and a.b=… for subcommands', and say no more of them
// than a name of its own making. Those of librdkafka, which have dots, are no options: they are
// kept apart.
class flat_config : public CLI::ConfigTOML {
 public:
  explicit flat_config(kafka_settings& kafka) : kafka_{kafka} {}

  std::vector<CLI::ConfigItem> from_config(std::istream& in) const override {
    auto lines = take_kafka_config_lines(in);
    if (!lines) throw misplaced_key{lines.error().text()};
    kafka_ = std::move(lines->settings);
    std::istringstream others{lines->others};
    auto found = CLI::ConfigTOML::from_config(others);
    for (const auto& item : found) {  // "--" closes a section, and has its whole name
      if (item.name != "--") continue;
      throw misplaced_key{fmt::format("section [{}]: keys stand without sections; remove the line",
                                      fmt::join(item.parents, "."))};
    }
    for (const auto& item : found) {
      if (item.parents.empty()) continue;
      throw misplaced_key{
          fmt::format("unknown key {}: keys stand without sections and dots", item.fullname())};
    }
    return found;
  }

 private:
  kafka_settings& kafka_;
};

// What is behind the name may be a secret.
std::string without_value(const std::string& argument) {
  return argument.substr(0, argument.find('='));
}

}  // namespace

struct runner::inside {
  inside(std::string app_name, const std::string& description)
      : cli{description, app_name}, name{std::move(app_name)} {}

  CLI::App cli;
  std::string name;
  host_options options;
  std::string http;
  std::string level = "warning";
  bool fresh = false;
  bool keep_running = false;
  bool quiet = false;
  std::string on_failure = "dead-letter";
  kafka_settings kafka_of_file;
  std::vector<std::string> kafka_of_line;

  void add_common() {
    const auto time_option = [this](const char* flag, milliseconds& value, const char* help) {
      cli.add_option_function<std::string>(
             flag,
             [&value](const std::string& text) {
               if (auto wrong = duration(text, value); !wrong.empty())
                 throw CLI::ValidationError(wrong);
             },
             help)
          ->default_str(fmt::format("{}ms", value.count()));
    };
    cli.add_option("--log", options.log, "The log: lmdb:FOLDER, memory: or kafka://HOST:PORT")
        ->capture_default_str();
    cli.add_option("--kafka-set", kafka_of_line,
                   "NAME=VALUE: a setting of librdkafka, the Kafka client, that is no secret; may "
                   "be repeated")
        ->allow_extra_args(false);
    cli.add_option(
        "--instance", options.instance,
        "On Kafka: the slot of --state that this process takes (else the first free one)");
    cli.add_option_function<std::string>(
           "--standbys",
           [this](const std::string& text) {
             if (text == "all") {
               options.standbys = host_options::all_others;
             } else if (!CLI::detail::lexical_cast(text, options.standbys)) {
               throw CLI::ValidationError("expected a number or all, not " + text);
             }
           },
           "On Kafka: how many other processes follow a task, to take it over at once; or all")
        ->default_str("0");
    cli.add_option("--state", options.state, "Folder of the state partitions")
        ->capture_default_str();
    cli.add_option("--savepoints", options.savepoints,
                   "Folder, perhaps of a mounted store, for copies of the states: a state comes "
                   "from there where there is none in --state");
    cli.add_option("--keys", options.keys,
                   "Where the keys of personal fields are: file:PATH, or, needed on Kafka, "
                   "postgresql://HOST/DATABASE (with a password better in PGPASSFILE)");
    time_option("--savepoint-interval", options.savepoint_interval,
                "Shortest time between two copies of a state");
    cli.add_option("--partitions", options.partitions, "Partitions of the topics the app creates")
        ->capture_default_str();
    cli.add_option("--threads", options.worker_threads, "Worker threads (0: one a processor)")
        ->capture_default_str();
    cli.add_option("--lanes", options.lanes,
                   "On Kafka: commits that may be under way at a time (0: one a processor, 4 at "
                   "most)")
        ->check(CLI::Range(0, 64))
        ->capture_default_str();
    cli.add_option("--replication", options.replication,
                   "On Kafka: copies of the topics that it creates (0: as the brokers have it)")
        ->check(CLI::Range(0, 99))
        ->capture_default_str();
    cli.add_option("--http", http, "Serve aggregates, queries, metrics and health at ADDRESS:PORT");
    time_option("--session-timeout", options.session_timeout,
                "On Kafka: how long a process may be silent before others get its tasks");
    time_option("--commit-interval", options.limits.commit_interval,
                "Longest time between commits (T1)");
    time_option("--snapshot-interval", options.limits.snapshot_interval,
                "Longest time between snapshots (T2)");
    time_option("--max-drift", options.max_drift,
                "Event time a task may be ahead of the slowest of its stage (0: any)");
    time_option("--handler-limit", options.handler_limit,
                "A step that takes longer counts as hung");
    cli.add_option("--frame-bytes", options.frame_bytes, "About the size of a frame of the log")
        ->capture_default_str();
    cli.add_option("--cache-bytes", options.limits.cache_bytes,
                   "Decoded state kept in memory, a task")
        ->capture_default_str();
    time_option(
        "--passivate-after", options.limits.passivate_after,
        "States of aggregates that nobody asks for leave memory (0: for want of room only)");
    cli.add_option("--rate", options.source_rate, "Rows a second of each source (0: no bound)")
        ->capture_default_str();
    cli.add_option("--on-failure", on_failure, "Bad records: dead-letter or stop")
        ->capture_default_str();
    cli.add_flag("--until-end", options.until_end, "Topics from outside end where they end now");
    cli.add_flag("--adopt-state-position", options.adopt_state_position,
                 "Believe the state where the log has lost a position");
    cli.add_option("--replay", options.replay,
                   "Before it goes live, erase this stage's state and build it anew from the log; "
                   "may be repeated")
        ->allow_extra_args(false);
    cli.add_flag("--replay-only", options.replay_only,
                 "Build the stages that --replay names anew, save them, and end");
    cli.add_flag("--keep-running", keep_running,
                 "Stay up when everything is done, and answer queries");
    cli.add_flag("--fresh", fresh, "Start over: delete the app's log and state");
    cli.add_flag("--quiet", quiet, "No progress");
    cli.add_option("--log-level", level, "debug, info, warning or error")->capture_default_str();
    cli.set_config("--config", "", "Options from a file: name=value lines");
    cli.config_formatter(std::make_shared<flat_config>(kafka_of_file));
    cli.allow_config_extras(false);
  }

  // Wrong flags and keys: the nearest right one is named.
  std::string nearest_to(const std::string& wrong) {
    std::vector<std::string> known;
    for (const auto* o : cli.get_options()) {
      for (const auto& l : o->get_lnames()) known.push_back("--" + l);
    }
    const auto stripped = without_value(wrong);
    return detail::suggestion(stripped.starts_with("--") ? stripped : "--" + stripped, known);
  }

  std::optional<int> parse(int argc, char** argv) {
    add_common();
    cli.allow_extras();
    try {
      cli.parse(argc, argv);
    } catch (const CLI::CallForHelp& e) {
      return cli.exit(e);
    } catch (const misplaced_key& e) {
      return complain({errc::bad_config, "--config", e.what()}, exit_usage);
    } catch (const CLI::ConfigError& e) {
      // "INI was not able to parse intervall"
      const std::string what = e.what();
      const auto key = what.substr(what.rfind(' ') + 1);
      const auto near = nearest_to(key);
      return complain(
          {errc::bad_config, "--config",
           "unknown key " + key + (near.empty() ? "" : "; did you mean " + near.substr(2) + "?")},
          exit_usage);
    } catch (const CLI::ParseError& e) {
      return complain({errc::bad_config, "command line", fmt::format("{} (see --help)", e.what())},
                      exit_usage);
    }
    for (const auto& extra : cli.remaining()) {
      const auto near = nearest_to(extra);
      return complain({errc::bad_config, "command line",
                       fmt::format("unknown argument {}{} (see --help)", without_value(extra),
                                   near.empty() ? std::string{} : "; did you mean " + near + "?")},
                      exit_usage);
    }
    auto kafka =
        merged({options.kafka_settings, kafka_of_file, kafka_settings_of_environment(environ)});
    for (const auto& setting : kafka_of_line) {
      if (auto set = set_from_command_line(kafka, setting); !set)
        return complain(set.error(), exit_usage);
    }
    options.kafka_settings = std::move(kafka);
    if (on_failure == "stop") {
      options.on_failure = failure_policy::stop;
    } else if (on_failure != "dead-letter") {
      return complain(
          {errc::bad_config, "--on-failure", "expected dead-letter or stop, not " + on_failure},
          exit_usage);
    }
    if (level != "debug" && level != "info" && level != "warning" && level != "error") {
      return complain(
          {errc::bad_config, "--log-level", "expected debug, info, warning or error, not " + level},
          exit_usage);
    }
    if (options.replay_only && options.replay.empty()) {
      return complain({errc::bad_config, "--replay-only", "name the stages with --replay STAGE"},
                      exit_usage);
    }
    if (fresh && !options.replay.empty()) {
      return complain({errc::bad_config, "--replay",
                       "--fresh deletes what a replay would read: give one of the two"},
                      exit_usage);
    }
    if (options.session_timeout < std::chrono::seconds{1} ||
        options.session_timeout > std::chrono::minutes{15}) {
      return complain({errc::bad_config, "--session-timeout", "expected 1s … 15min"}, exit_usage);
    }
    const auto& l = options.limits;
    if (l.commit_interval.count() < 1 || l.commit_interval > std::chrono::hours{1}) {
      return complain({errc::bad_config, "--commit-interval", "expected 1ms … 1h"}, exit_usage);
    }
    if (l.snapshot_interval < l.commit_interval) {
      return complain(
          {errc::bad_config, "--snapshot-interval", "must not be shorter than the commit interval"},
          exit_usage);
    }
    if (l.cache_bytes < (64u << 10))
      return complain({errc::bad_config, "--cache-bytes", "expected 65536 or more"}, exit_usage);
    if (options.worker_threads > most_worker_threads) {
      return complain(
          {errc::bad_config, "--threads", fmt::format("expected 0 … {}", most_worker_threads)},
          exit_usage);
    }
    if (options.source_rate < 0)
      return complain({errc::bad_config, "--rate", "must not be negative"}, exit_usage);
    if (options.handler_limit < std::chrono::milliseconds{100}) {
      return complain({errc::bad_config, "--handler-limit", "expected 100ms or more"}, exit_usage);
    }
    return std::nullopt;
  }

  // --until-end, when all is done: whether records have come behind the end that an earlier run
  // declared. A run that had something left to do has done it and says so; one that had not would
  // do nothing for ever.
  static result<void> look_behind_the_end(const kappa::host& host, bool anew) {
    for (const auto& t : host.status()) {
      if (t.progress.behind_end == 0) continue;
      auto e = error{errc::refused_start, t.id.text(),
                     fmt::format("{} records came after what an earlier run with --until-end "
                                 "declared the end, when windows were closed: start over with "
                                 "--fresh, or use a new generation",
                                 t.progress.behind_end)};
      if (!anew) return fail(std::move(e));
      fmt::print(stderr, "{}\n", e.text());
    }
    return {};
  }

  // Before anything is deleted: a mistyped --input must not cost what an earlier run has done.
  static result<void> try_sources(const app& a) {
    const auto compiled = topology::compile(a);
    if (!compiled) return fail(compiled.error());
    for (const auto& stage : compiled->stages()) {
      if (!stage.source) continue;
      if (auto opened = (*stage.source)()->open(std::nullopt); !opened) return opened;
    }
    return {};
  }

  // --fresh: the log goes when it holds nothing of others, then the app's state. What Kappa made
  // and nothing else: the folders may hold other things.
  result<void> start_over(const std::string& app_name) {
    std::error_code ec;
    if (options.log.starts_with("kafka:")) {
      return fail(errc::bad_config, "--fresh",
                  "a Kafka log is not this program's to delete: delete the app's topics and groups "
                  "with Kafka's own tools, and the folder " +
                      options.state.string());
    }
    if (options.log.starts_with("lmdb:")) {
      const std::filesystem::path folder = options.log.substr(5);
      if (std::filesystem::exists(folder / "data.mdb")) {
        auto log = open_log(
            {.url = options.log, .frame_bytes = options.frame_bytes, .log = options.log_to});
        if (!log) return fail(log.error());
        // Nobody runs it now.
        auto mine = (*log)->open_writer({app_name, fmt::format("--fresh of pid {}", ::getpid())});
        if (!mine) return fail(mine.error());
        auto topics = (*log)->topics();
        if (!topics) return fail(topics.error());
        for (const auto& t : *topics) {
          if (t.owner == app_name || t.name == admin_topic(app_name)) continue;
          return fail(errc::bad_config, "--fresh",
                      fmt::format("the log in {} also holds topic {}, which is not the app's: use "
                                  "a log of the app's own",
                                  folder.string(), t.name));
        }
      }
      // The data last: as long as it is there, the rest is known to be a log's.
      for (const auto* file : {"lock.mdb", "wake", "apps", "data.mdb"}) {
        if (!std::filesystem::exists(folder / "data.mdb")) break;
        std::filesystem::remove_all(folder / file, ec);
        if (ec) return fail(errc::io, (folder / file).string(), ec.message());
      }
    }
    const auto state = options.state / app_name;
    for (std::filesystem::directory_iterator at{state, ec}, end; !ec && at != end;
         at.increment(ec)) {
      const auto entry = at->path().filename().string();
      if (entry != "crash-ledger" && !is_stage_folder(entry)) continue;
      std::error_code kept;
      std::filesystem::remove_all(at->path(), kept);
      if (kept) return fail(errc::io, at->path().string(), kept.message());
    }
    return {};
  }

  // "<stage>.g<generation>"
  static bool is_stage_folder(const std::string& folder) {
    const auto g = folder.rfind(".g");
    return g != std::string::npos && g + 2 < folder.size() &&
           folder.find_first_not_of("0123456789", g + 2) == std::string::npos;
  }
};

runner::runner(std::string name, std::string description)
    : in_{std::make_unique<inside>(std::move(name), description)} {}
runner::~runner() = default;

void runner::option(const std::string& flag, std::string& value, const std::string& help) {
  in_->cli.add_option(flag, value, help)->capture_default_str();
}
void runner::option(const std::string& flag, double& value, const std::string& help) {
  in_->cli.add_option(flag, value, help)->capture_default_str();
}
void runner::flag(const std::string& flag, bool& value, const std::string& help) {
  in_->cli.add_flag(flag, value, help);
}
host_options& runner::defaults() { return in_->options; }

int runner::run(int argc, char** argv, const std::function<app()>& make_app, const hooks& h) {
  if (const auto code = in_->parse(argc, argv)) return *code;
  if (h.check) {
    if (auto good = h.check(); !good) return complain(good.error(), exit_usage);
  }
  in_->options.log_to = make_logger(in_->level);

  // Signals are taken by this thread alone, between two looks at the tasks.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  const auto the_app = make_app();
  std::optional<detail::passing_state> passing;  // removed after the host
  if (in_->options.log == "memory" || in_->options.log.starts_with("memory:")) {
    auto made = detail::passing_state::make(in_->options.state);
    if (!made) return complain(made.error(), exit_refused);
    in_->options.state = passing.emplace(std::move(*made)).folder();
  }
  if (in_->fresh) {
    auto good = inside::try_sources(the_app);
    if (!good)
      return complain(good.error(),
                      good.error().code == errc::bad_config ? exit_usage : exit_refused);
    if (auto done = in_->start_over(the_app.name()); !done)
      return complain(done.error(), exit_refused);
  }
  host host{the_app, in_->options};
  detail::progress_line progress{!in_->quiet};
  if (auto started = host.start(); !started) {
    return complain(started.error(),
                    started.error().code == errc::bad_config ? exit_usage : exit_refused);
  }
  std::unique_ptr<http_server> http;
  if (!in_->http.empty()) {
    const char* token = std::getenv("KAPPA_HTTP_TOKEN");
    auto server = http_server::start(host, {in_->http, token == nullptr ? "" : token});
    if (!server) return complain(server.error(), exit_usage);
    http = std::move(*server);
    fmt::print(stderr, "serving http on port {}\n", http->port());
  }

  progress.work_begins(host.status());
  bool told = false;
  int code = 0;
  for (;;) {
    auto finished = host.wait_finished(std::chrono::milliseconds{0});
    if (!finished) {
      progress.end();
      code = complain(finished.error(), exit_failed);
      break;
    }
    if (*finished && !told) {
      told = true;
      progress.show(host.status());
      progress.end();
      if (in_->options.replay_only) break;
      bool anew = false;
      for (const auto& t : host.status())
        anew = anew || t.progress.records_in > 0 || t.progress.epochs > 0;
      if (auto whole = inside::look_behind_the_end(host, anew); !whole) {
        code = complain(whole.error(), exit_refused);
        break;
      }
      if (h.finished) {
        if (auto done = h.finished(host, anew); !done) {
          code = complain(done.error(), exit_failed);
          break;
        }
      }
      if (!in_->keep_running) break;
    }
    const timespec wait{0, told ? 500'000'000 : 50'000'000};
    const int number = ::sigtimedwait(&signals, nullptr, &wait);
    if (number == SIGINT || number == SIGTERM) {
      progress.end();
      if (!in_->quiet) fmt::print(stderr, "stopping: commit, snapshot\n");
      break;
    }
    if (!told) progress.show_now_and_then([&] { return host.status(); });
  }
  http.reset();
  if (auto stopped = host.stop(); !stopped && code == 0)
    code = complain(stopped.error(), exit_failed);
  if (code != 0 && host.failure()) std::_Exit(code);  // a thread may hang in user code
  return code;
}

int run(const app& a, int argc, char** argv) {
  runner r{a.name(), "A Kappa app"};
  return r.run(argc, argv, [&] { return a; }, {});
}

}  // namespace kappa
