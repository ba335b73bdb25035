#include "actors/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

namespace kappa::detail {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

struct figure {
  const char* name;
  const char* help;
  bool counter;
  double (*of)(const task_status&);
};

double seconds_of(timestamp t) {
  if (t == min_time || t == max_time) return 0;
  return static_cast<double>(t.time_since_epoch().count()) / 1000.0;
}

const figure figures[] = {
    {"kappa_records_in_total", "Records processed since the task was opened, replay left out", true,
     [](const task_status& s) { return static_cast<double>(s.progress.records_in); }},
    {"kappa_records_out_total", "Records emitted in closed epochs", true,
     [](const task_status& s) { return static_cast<double>(s.progress.records_out); }},
    {"kappa_dead_letters_total", "Records and timers that went to dead letters", true,
     [](const task_status& s) { return static_cast<double>(s.progress.dead_letters); }},
    {"kappa_late_records_total", "Records whose window had closed", true,
     [](const task_status& s) { return static_cast<double>(s.progress.late_records); }},
    {"kappa_commits_total", "Epochs whose T1 is durable", true,
     [](const task_status& s) { return static_cast<double>(s.progress.epochs); }},
    {"kappa_snapshots_total", "Snapshots (T2) written", true,
     [](const task_status& s) { return static_cast<double>(s.progress.snapshots); }},
    {"kappa_timers_fired_total", "Timers fired", true,
     [](const task_status& s) { return static_cast<double>(s.progress.timers_fired); }},
    {"kappa_repeated_commands_total", "Commands of an aggregate answered by their ids", true,
     [](const task_status& s) { return static_cast<double>(s.progress.repeated_commands); }},
    {"kappa_remembered_commands_bytes",
     "Ids of commands that are remembered, and what they came to", false,
     [](const task_status& s) { return static_cast<double>(s.progress.remembered_bytes); }},
    {"kappa_remembered_commands_seconds", "Since the oldest command that is remembered", false,
     [](const task_status& s) {
       return static_cast<double>(s.progress.remembered_span.count()) / 1000.0;
     }},
    {"kappa_restored_records_total", "Records replayed without output", true,
     [](const task_status& s) { return static_cast<double>(s.progress.replayed); }},
    {"kappa_lag", "Offsets (of a source: bytes) not yet processed", false,
     [](const task_status& s) { return static_cast<double>(s.progress.lag); }},
    {"kappa_watermark_seconds", "The task's watermark, seconds since 1970; 0: none", false,
     [](const task_status& s) { return seconds_of(s.progress.watermark); }},
    {"kappa_state_dirty_bytes", "Changed state since the last snapshot", false,
     [](const task_status& s) { return static_cast<double>(s.progress.dirty_bytes); }},
    {"kappa_state_cache_bytes", "Decoded state in memory", false,
     [](const task_status& s) { return static_cast<double>(s.progress.cache_bytes); }},
    {"kappa_state_file_bytes", "Size of the state's file", false,
     [](const task_status& s) { return static_cast<double>(s.progress.state.file_bytes); }},
    {"kappa_state_entries", "Keys and timers in the state, as of the last snapshot", false,
     [](const task_status& s) { return static_cast<double>(s.progress.state.entries); }},
    {"kappa_last_snapshot_seconds", "Time of the last snapshot since the start; 0: none", false,
     [](const task_status& s) { return seconds_of(s.progress.snapshot_at); }},
    {"kappa_standby_seconds",
     "When this process had last caught up with a task of another one; 0: it does not follow it",
     false, [](const task_status& s) { return s.standby ? seconds_of(s.standby->at) : 0.0; }},
    {"kappa_task_failures", "Failures in a row", false,
     [](const task_status& s) { return static_cast<double>(s.failures); }},
    {"kappa_task_up", "1: running or finished", false,
     [](const task_status& s) {
       return s.health == task_health::running || s.health == task_health::finished ? 1.0 : 0.0;
     }},
};

}  // namespace

std::string metrics_text(const std::string& app, const std::vector<task_status>& tasks) {
  std::vector<MetricFamily> families;
  for (const auto& f : figures) {
    MetricFamily family;
    family.name = f.name;
    family.help = f.help;
    family.type = f.counter ? MetricType::Counter : MetricType::Gauge;
    for (const auto& t : tasks) {
      ClientMetric m;
      m.label = {{"app", app},
                 {"stage", t.id.stage},
                 {"generation", std::to_string(t.id.generation.value)},
                 {"task", std::to_string(t.id.partition.value)}};
      if (f.counter) {
        m.counter.value = f.of(t);
      } else {
        m.gauge.value = f.of(t);
      }
      family.metric.push_back(std::move(m));
    }
    families.push_back(std::move(family));
  }
  return prometheus::TextSerializer{}.Serialize(families);
}

}  // namespace kappa::detail
