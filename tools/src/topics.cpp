// kappa topics: what the log holds.

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "job.hpp"
#include "kappa/serialization/json.hpp"
#include "output.hpp"
#include "table.hpp"

namespace kappa::tools {
namespace {

struct topic_facts {
  topic_config config;
  std::vector<partition_bounds> bounds;  // by partition

  [[nodiscard]] std::int64_t records() const {
    std::int64_t n = 0;
    for (const auto& b : bounds) n += b.latest - b.earliest;
    return n;
  }
};

result<std::vector<topic_facts>> look(event_log& log, const std::string& app) {
  auto topics = log.topics();
  if (!topics) return fail(topics.error());
  std::vector<topic_facts> all;
  for (auto& t : *topics) {
    if (!app.empty() && t.owner != app) continue;
    topic_facts facts{std::move(t), {}};
    for (std::int32_t p = 0; p < facts.config.partitions; ++p) {
      auto bounds = log.bounds({facts.config.name, partition{p}});
      if (!bounds) return fail(bounds.error());
      facts.bounds.push_back(*bounds);
    }
    all.push_back(std::move(facts));
  }
  return all;
}

std::string span_text(milliseconds span) {
  const auto ms = span.count();
  for (const auto& [size, unit] :
       {std::pair{86'400'000, "d"}, {3'600'000, "h"}, {60'000, "min"}, {1000, "s"}}) {
    if (ms % size == 0 && ms >= size) return fmt::format("{} {}", ms / size, unit);
  }
  return fmt::format("{} ms", ms);
}

std::string kept(const topic_config& t) {
  std::string text;
  if (t.retention_time) text = span_text(*t.retention_time);
  if (t.retention_bytes) {
    text += fmt::format("{}{} B a partition", text.empty() ? "" : ", ", *t.retention_bytes);
  }
  return text.empty() ? "for ever" : text;
}

std::string table_of(const std::vector<topic_facts>& all) {
  text_table table{
      {{"topic"}, {"owner"}, {"partitions", true}, {"records", true}, {"kept"}, {"compacted"}}};
  for (const auto& t : all) {
    table.add({t.config.name, t.config.owner.empty() ? "-" : t.config.owner,
               std::to_string(t.config.partitions), std::to_string(t.records()), kept(t.config),
               t.config.compacted ? "yes" : "no"});
  }
  return table.text();
}

std::string json_of(const std::vector<topic_facts>& all) {
  std::string out;
  json_writer w{out};
  w.begin_array();
  for (const auto& t : all) {
    w.begin_object();
    w.member("topic");
    w.text(t.config.name);
    w.member("owner");
    t.config.owner.empty() ? w.null() : w.text(t.config.owner);
    w.member("records");
    w.integer(t.records());
    w.member("partitions");
    w.begin_array();
    for (const auto& b : t.bounds) {
      w.begin_object();
      w.member("earliest");
      w.integer(b.earliest.value);
      w.member("latest");
      w.integer(b.latest.value);
      w.end_object();
    }
    w.end_array();
    w.member("retention_ms");
    t.config.retention_time ? w.integer(std::int64_t{t.config.retention_time->count()}) : w.null();
    w.member("retention_bytes");
    t.config.retention_bytes ? w.integer(*t.config.retention_bytes) : w.null();
    w.member("max_record_bytes");
    w.integer(std::uint64_t{t.config.max_record_bytes});
    w.member("compacted");
    w.boolean(t.config.compacted);
    w.end_object();
  }
  w.end_array();
  return out + "\n";
}

int topics(const common_options& common) {
  auto log = open_log_of(common, access::read);
  if (!log) return complain(log.error());
  if (!common.app.empty()) {
    if (auto app = app_of(**log, common); !app) return complain(app.error());
  }
  auto all = look(**log, common.app);
  if (!all) return complain(all.error());
  if (common.json) return put(json_of(*all)) ? exit_done : exit_failed;
  return put(table_of(*all)) ? exit_done : exit_failed;
}

}  // namespace

void add_topics(command_line& line) {
  line.add("topics", "What the log holds: owner, partitions, records, retention of each topic",
           topics);
}

}  // namespace kappa::tools
