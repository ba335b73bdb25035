#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "job.hpp"
#include "kappa/copy/copy_log.hpp"
#include "kappa/log/open_log.hpp"
#include "kappa/serialization/json.hpp"
#include "log_folder.hpp"
#include "output.hpp"
#include "progress_note.hpp"

namespace kappa::tools {
namespace {

struct copy_arguments {
  std::string from;
  std::string to;
  std::vector<std::string> topics;
};

// The new log may not be there yet; on LMDB it is made then.
result<std::shared_ptr<event_log>> open_target(const common_options& common,
                                               const std::string& url) {
  if (!url.starts_with("kafka:")) {
    if (auto folder = log_folder(url, "TO"); !folder) return fail(folder.error());
  }
  open_log_options options;
  options.url = url;
  options.kafka_settings = common.kafka_settings;
  return open_log(options);
}

std::string json_of_copy(const copy_report& r) {
  std::string text;
  json_writer out{text};
  const auto names = [&](const char* name, const std::vector<std::string>& all) {
    out.member(name);
    out.begin_array();
    for (const auto& n : all) out.text(n);
    out.end_array();
  };
  out.begin_object();
  names("moved", r.moved);
  names("complete", r.complete);
  for (const auto& [name, n] : {std::pair{"topics", r.topics},
                                {"partitions", r.partitions},
                                {"records", r.records},
                                {"found", r.found},
                                {"positions", r.positions}}) {
    out.member(name);
    out.integer(n);
  }
  out.end_object();
  return text + "\n";
}

std::string text_of_copy(const copy_report& r, const std::string& to) {
  auto text = fmt::format(
      "{} topics, {} partitions: {} records copied{}, {} positions\n", r.topics, r.partitions,
      r.records, r.found == 0 ? "" : fmt::format(", {} were there already", r.found), r.positions);
  if (!r.complete.empty()) {
    text +=
        fmt::format("had been copied before, and left as it is: {}\n", fmt::join(r.complete, ", "));
  }
  if (!r.moved.empty()) {
    text += fmt::format(
        "{} can be started with --log {}, without the state of the old log: it is built anew\n",
        fmt::join(r.moved, ", "), to);
  }
  return text;
}

int copy(const common_options& common, const copy_arguments& a) {
  auto source = common;
  source.log = a.from;
  auto from = open_log_of(source, access::write, "FROM");
  if (!from) return complain(from.error());
  auto to = open_target(common, a.to);
  if (!to) return complain(to.error());
  progress_note note{"copying"};
  copy_options options;
  options.app = common.app;
  options.topics = a.topics;
  options.instance = fmt::format("kappa copy, pid {}", ::getpid());
  options.progress = [&](const std::string& subject) { note.show(subject); };
  const auto report = copy_log(**from, **to, options);
  note.clear();
  if (!report) {
    const bool there = report.error().code == errc::already_exists;
    return there ? complain(report.error(), exit_refused) : complain(report.error());
  }
  return put(common.json ? json_of_copy(*report) : text_of_copy(*report, a.to)) ? exit_done
                                                                                : exit_failed;
}

}  // namespace

void add_copy(command_line& line) {
  auto a = std::make_shared<copy_arguments>();
  auto& cli = line.add(
      "copy", "Move apps and topics to another log: from LMDB to Kafka, back, or between two",
      [a](const common_options& common) { return copy(common, *a); });
  for (const auto* name : {"--log", "--state"}) cli.remove_option(cli.get_option(name));
  cli.add_option("FROM", a->from, "The log to copy, lmdb:FOLDER or kafka://HOST:PORT")->required();
  cli.add_option("TO", a->to, "The log to copy into; on LMDB it is made")->required();
  cli.get_option("--app")->description("Only what this app owns and reads");
  cli.add_option("--topic", a->topics, "Only this topic; may be repeated. An app's move together")
      ->allow_extra_args(false);
  cli.footer(
      "Stop the apps, and what writes into their topics, first. After a failure or a kill the "
      "same\n"
      "command goes on where it was. The old log is left as it is: start the app on one of them "
      "only.");
}

}  // namespace kappa::tools
