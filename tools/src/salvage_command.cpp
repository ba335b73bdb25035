#include <cstdio>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "kappa/log/salvage.hpp"
#include "kappa/serialization/json.hpp"
#include "log_folder.hpp"
#include "progress_note.hpp"

namespace kappa::tools {

namespace {

struct salvage_arguments {
  std::string from;
  std::string to;
  std::string log_id;
  bool json = false;
};

std::string count_of(const missing_records& m) {
  return m.records ? fmt::format("{} records", *m.records) : "an unknown number of records";
}

void print_text(const salvage_arguments& a, const salvage_report& r) {
  fmt::print("copied to {}: {} records in {} frames, {} topics, {} partitions, {} positions\n",
             a.to, r.records, r.frames, r.topics, r.partitions, r.positions);
  for (const auto& m : r.missing) fmt::print("  missing: {} ({})\n", m.range.text(), count_of(m));
  for (const auto& l : r.losses) fmt::print("  lost: {}\n", l.text());
  if (r.complete()) {
    fmt::print("  nothing is missing\n");
    return;
  }
  fmt::print("  apps go on with the new log and their own state: they pass over what is missing\n");
}

void print_json(const salvage_arguments& a, const salvage_report& r) {
  std::string text;
  json_writer out{text};
  const auto number = [&](const char* name, std::uint64_t v) {
    out.member(name);
    out.integer(v);
  };
  out.begin_object();
  out.member("to");
  out.text(a.to);
  out.member("id");
  out.text(r.log_id);
  out.member("complete");
  out.boolean(r.complete());
  number("topics", r.topics);
  number("partitions", r.partitions);
  number("records", r.records);
  number("frames", r.frames);
  number("positions", r.positions);
  out.member("missing");
  out.begin_array();
  for (const auto& m : r.missing) {
    out.begin_object();
    out.member("range");
    write_range(out, m.range);
    out.member("records");
    if (m.records) {
      out.integer(*m.records);
    } else {
      out.null();
    }
    out.end_object();
  }
  out.end_array();
  out.member("losses");
  out.begin_array();
  for (const auto& l : r.losses) {
    out.begin_object();
    out.member("subject");
    out.text(l.subject);
    out.member("what");
    out.text(l.what);
    out.end_object();
  }
  out.end_array();
  out.end_object();
  fmt::print("{}\n", text);
}

int run(const salvage_arguments& a) {
  const auto from = log_folder(a.from, "LOG");
  if (!from) return complain(from.error(), exit_usage);
  const auto to = log_folder(a.to, "--to");
  if (!to) return complain(to.error(), exit_usage);
  progress_note note{"copying"};
  salvage_options options;
  options.from = *from;
  options.to = *to;
  options.log_id = a.log_id;
  options.progress = [&](const std::string& subject) { note.show(subject); };
  const auto report = salvage_log(options);
  note.clear();
  if (!report) {
    const bool wrong = report.error().code == errc::invalid_argument;
    return complain(report.error(), wrong ? exit_usage : exit_refused);
  }
  if (a.json) {
    print_json(a, *report);
  } else {
    print_text(a, *report);
  }
  return report->complete() ? exit_done : exit_failed;
}

}  // namespace

void add_salvage(command_line& line) {
  auto& exit_code = line.exit_code();
  auto a = std::make_shared<salvage_arguments>();
  auto* const salvage = line.root().add_subcommand(
      "salvage", "Copy what is sound of a damaged log to a new folder, and list what is missing");
  salvage->add_option("log", a->from, "The damaged log, lmdb:FOLDER; it is only read")->required();
  salvage->add_option("--to", a->to, "The new log, lmdb:FOLDER; must not be there")->required();
  salvage->add_option("--log-id", a->log_id,
                      "The log's id, where the log has lost it: `check` shows it of the states");
  salvage->add_flag("--json", a->json, "One JSON document");
  salvage->footer(
      "Stop the apps on the log first. Exit code: 0 all was copied, 1 something is missing, 2 "
      "wrong "
      "usage, 3 the log cannot be opened or the copy not be written.");
  salvage->callback([a, &exit_code] { exit_code = run(*a); });
}

}  // namespace kappa::tools
