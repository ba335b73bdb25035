#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "kappa/log/check.hpp"
#include "kappa/serialization/json.hpp"
#include "kappa/state/check.hpp"
#include "log_folder.hpp"
#include "progress_note.hpp"

namespace kappa::tools {

namespace {

constexpr const char* reader_command = "read-for-check";

struct check_arguments {
  std::string log = "lmdb:data";
  std::string state = "state";
  bool state_given = false;
  bool without_lmdb = false;
  bool json = false;
};

struct checked_state {
  state_check_report report;
  std::optional<error> refused;
};

struct findings {
  std::optional<log_check_report> log;
  std::optional<error> log_refused;
  std::vector<checked_state> states;
  std::optional<error> no_states;  // --state names no folder

  [[nodiscard]] std::size_t damages() const {
    auto n = log ? log->damages.size() : 0;
    for (const auto& s : states) n += s.refused ? 1 : s.report.damages.size();
    return n;
  }

  /// Of the logs that the states were made from.
  [[nodiscard]] std::set<std::string> ids_in_states() const {
    std::set<std::string> ids;
    for (const auto& s : states) {
      if (s.report.identity) ids.insert(s.report.identity->log_id);
    }
    return ids;
  }
};

findings look(const check_arguments& a, const std::filesystem::path& folder) {
  progress_note note{"checking"};
  const auto progress = [&](const std::string& subject) { note.show(subject); };
  findings out;
  // States first: a running app's log may be ahead of what its state says, never behind.
  std::error_code ec;
  if (a.state_given || std::filesystem::is_directory(a.state, ec)) {
    auto folders = find_states(a.state);
    if (!folders) {
      out.no_states = folders.error();
      out.no_states->message += "; the log alone was looked at";
      folders.emplace();
    }
    for (const auto& f : *folders) {
      state_check_options options;
      options.folder = f;
      options.progress = progress;
      auto report = check_state(options);
      checked_state s;
      s.report.folder = f;
      if (report) {
        s.report = std::move(*report);
      } else {
        s.refused = report.error();
      }
      out.states.push_back(std::move(s));
    }
  }
  log_check_options options;
  options.folder = folder;
  options.progress = progress;
  if (!a.without_lmdb) options.reader = {"/proc/self/exe", reader_command};
  auto report = check_log(options);
  if (!report) {
    out.log_refused = report.error();
    return out;
  }
  const log_facts facts{report->log_id, report->positions, report->bounds};
  for (auto& s : out.states) {
    for (auto& d : compare(s.report, facts)) s.report.damages.push_back(std::move(d));
  }
  out.log = std::move(*report);
  return out;
}

void print(const std::vector<damage>& damages) {
  for (const auto& d : damages) fmt::print("  damaged: {}\n", d.text());
}

// What salvage needs to be told besides.
std::string log_id_to_give(const findings& f) {
  if (!f.log->log_id.empty()) return {};
  const auto ids = f.ids_in_states();
  if (ids.size() == 1) return " --log-id " + *ids.begin();
  return fmt::format(" --log-id ID\n  the id is lost; {}",
                     ids.empty() ? std::string{"states that were made from the log know it: name "
                                               "their folder with --state"}
                                 : fmt::format("it is one of those that the states name: {}",
                                               fmt::join(ids, ", ")));
}

void print_text(const check_arguments& a, const findings& f) {
  if (f.log) {
    const auto& r = *f.log;
    fmt::print("log {} (id {}): {}\n", a.log, r.log_id.empty() ? "lost" : r.log_id,
               r.healthy() ? "healthy" : fmt::format("{} damages", r.damages.size()));
    fmt::print(
        "  {} topics, {} partitions, {} records in {} frames ({} bytes), {} positions, {} "
        "producers, {} writers\n",
        r.topics, r.partitions, r.records, r.frames, r.frame_bytes, r.positions.size(), r.producers,
        r.writers);
    if (r.changed_meanwhile) {
      fmt::print("  it was written meanwhile: pages that belong to nothing were not looked for\n");
    } else {
      fmt::print("  {} pages in use, {} free\n", r.pages, r.free_pages);
    }
    for (const auto& gap : r.gaps) fmt::print("  gap, left by a salvage: {}\n", gap.text());
    print(r.damages);
    if (!r.healthy()) {
      fmt::print("  stop its apps, and copy what is sound: kappa salvage {} --to {}-salvaged{}\n",
                 a.log, a.log, log_id_to_give(f));
    }
  }
  for (const auto& s : f.states) {
    if (s.refused) {
      fmt::print("state {}\n  damaged: {}\n", s.report.folder.string(), s.refused->text());
      continue;
    }
    const auto& r = s.report;
    std::string tables;
    for (const auto& [name, entries] : r.tables) {
      tables += fmt::format("{}{} {}", tables.empty() ? "" : ", ", entries, name);
    }
    fmt::print("state {} ({}, of log {}): {}\n  {}; {}\n", r.name(), r.folder.string(),
               r.identity ? r.identity->log_id : "unknown",
               r.healthy() ? "healthy" : fmt::format("{} damages", r.damages.size()),
               r.epoch ? fmt::format("snapshot of epoch {}", *r.epoch) : "no snapshot yet", tables);
    print(r.damages);
  }
}

void write(json_writer& out, const std::vector<damage>& damages) {
  out.member("damages");
  out.begin_array();
  for (const auto& d : damages) {
    out.begin_object();
    out.member("subject");
    out.text(d.subject);
    out.member("what");
    out.text(d.what);
    out.member("range");
    if (d.range) {
      write_range(out, *d.range);
    } else {
      out.null();
    }
    out.end_object();
  }
  out.end_array();
}

void write_error(json_writer& out, const error& e) {
  out.member("error");
  out.text(e.text());
}

void write(json_writer& out, const log_check_report& r) {
  const auto number = [&](const char* name, std::uint64_t v) {
    out.member(name);
    out.integer(v);
  };
  out.member("id");
  r.log_id.empty() ? out.null() : out.text(r.log_id);
  out.member("healthy");
  out.boolean(r.healthy());
  number("topics", r.topics);
  number("partitions", r.partitions);
  number("records", r.records);
  number("frames", r.frames);
  number("frame_bytes", r.frame_bytes);
  number("positions", r.positions.size());
  number("producers", r.producers);
  number("writers", r.writers);
  number("pages", r.pages);
  number("free_pages", r.free_pages);
  out.member("changed_meanwhile");
  out.boolean(r.changed_meanwhile);
  out.member("gaps");
  out.begin_array();
  for (const auto& gap : r.gaps) write_range(out, gap);
  out.end_array();
  write(out, r.damages);
}

void write(json_writer& out, const state_check_report& r) {
  out.member("name");
  out.text(r.name());
  out.member("log");
  r.identity ? out.text(r.identity->log_id) : out.null();
  out.member("healthy");
  out.boolean(r.healthy());
  out.member("epoch");
  r.epoch ? out.integer(r.epoch->value) : out.null();
  out.member("tables");
  out.begin_array();
  for (const auto& [name, entries] : r.tables) {
    out.begin_object();
    out.member("name");
    out.text(name);
    out.member("entries");
    out.integer(entries);
    out.end_object();
  }
  out.end_array();
  write(out, r.damages);
}

void print_json(const check_arguments& a, const findings& f) {
  std::string text;
  json_writer out{text};
  out.begin_object();
  out.member("healthy");
  out.boolean(!f.log_refused && !f.no_states && f.damages() == 0);
  out.member("log");
  out.begin_object();
  out.member("url");
  out.text(a.log);
  if (f.log) write(out, *f.log);
  if (f.log_refused) write_error(out, *f.log_refused);
  out.end_object();
  out.member("ids_in_states");
  out.begin_array();
  for (const auto& id : f.ids_in_states()) out.text(id);
  out.end_array();
  out.member("states");
  out.begin_array();
  if (f.no_states) {
    out.begin_object();
    out.member("folder");
    out.text(a.state);
    write_error(out, *f.no_states);
    out.end_object();
  }
  for (const auto& s : f.states) {
    out.begin_object();
    out.member("folder");
    out.text(s.report.folder.string());
    if (s.refused) {
      write_error(out, *s.refused);
    } else {
      write(out, s.report);
    }
    out.end_object();
  }
  out.end_array();
  out.end_object();
  fmt::print("{}\n", text);
}

int run(const check_arguments& a) {
  const auto folder = log_folder(a.log, "--log");
  if (!folder) return complain(folder.error(), exit_usage);
  const auto found = look(a, *folder);
  a.json ? print_json(a, found) : print_text(a, found);
  std::fflush(stdout);  // before what is said on the other output
  if (found.no_states) complain(*found.no_states, exit_refused);
  if (found.log_refused) complain(*found.log_refused, exit_refused);
  if (found.no_states || found.log_refused) return exit_refused;
  return found.damages() == 0 ? exit_done : exit_failed;
}

}  // namespace

void add_check(command_line& line) {
  auto& app = line.root();
  auto& exit_code = line.exit_code();
  auto a = std::make_shared<check_arguments>();
  auto* const check = app.add_subcommand(
      "check", "Verify a log and the states made from it: checksums, order, positions, trees");
  check->add_option("--log", a->log, "The log, lmdb:FOLDER")->capture_default_str();
  auto* const state = check
                          ->add_option("--state", a->state,
                                       "Folder of states, as programs have it; checked when there")
                          ->capture_default_str();
  check->add_flag("--without-lmdb", a->without_lmdb,
                  "Do not read the log through LMDB as well, in a second process");
  check->add_flag("--json", a->json, "One JSON document");
  check->footer(
      "Exit code: 0 healthy, 1 damage found, 2 wrong usage, 3 log or states cannot be opened "
      "at all.");
  check->callback([a, state, &exit_code] {
    a->state_given = state->count() != 0;
    exit_code = run(*a);
  });

  auto folder = std::make_shared<std::string>();
  auto* const reader = app.add_subcommand(reader_command, "");
  reader->group("");  // for `check` itself
  reader->add_option("folder", *folder)->required();
  reader->callback([folder, &exit_code] { exit_code = read_log_for_check(*folder); });
}

}  // namespace kappa::tools
