#include "actors/admin_status.hpp"

#include <utility>

namespace kappa::detail {
namespace {

admin::health health_of(task_health h) {
  switch (h) {
    case task_health::starting:
      return admin::health::starting;
    case task_health::running:
      return admin::health::running;
    case task_health::backing_off:
      return admin::health::backing_off;
    case task_health::quarantined:
      return admin::health::quarantined;
    case task_health::finished:
      return admin::health::finished;
    case task_health::stopped:
      return admin::health::stopped;
    case task_health::elsewhere:
      return admin::health::elsewhere;
  }
  return admin::health::stopped;
}

admin::phase phase_of(task_phase p) {
  switch (p) {
    case task_phase::replaying:
      return admin::phase::replaying;
    case task_phase::live:
      return admin::phase::live;
    case task_phase::finished:
      return admin::phase::finished;
  }
  return admin::phase::live;
}

timestamp known(timestamp t) { return t == min_time || t == max_time ? timestamp{} : t; }

admin::task_status describe_task(const kappa::task_status& t) {
  const auto& p = t.progress;
  admin::task_status s;
  s.partition = t.id.partition.value;
  s.health = health_of(t.health);
  s.phase = phase_of(p.phase);
  for (const auto& in : p.inputs) s.inputs.push_back({in.topic, in.next.value, in.lag});
  s.records_in = p.records_in;
  s.records_out = p.records_out;
  s.dead_letters = p.dead_letters;
  s.late_records = p.late_records;
  s.lag = p.lag;
  s.watermark = known(p.watermark);
  s.epoch = p.epoch.value;
  s.last_snapshot = known(p.snapshot_at);
  s.state_file_bytes = p.state.file_bytes;
  s.state_used_bytes = p.state.used_bytes;
  s.state_entries = p.state.entries;
  s.dirty_bytes = p.dirty_bytes;
  s.cache_bytes = p.cache_bytes;
  s.replayed = p.replayed;
  s.replay_total = p.replay_total;
  s.failures = t.failures;
  if (t.last_error) s.last_error = t.last_error->text();
  return s;
}

}  // namespace

admin::problem problem_of(const error& e) {
  return {static_cast<std::uint16_t>(e.code), std::string{name_of(e.code)}, e.subject, e.message};
}

result<admin::status> describe(host& h, const std::string& only) {
  const auto& topology = h.topology();
  if (!only.empty() && topology.find(only) == nullptr) {
    std::string all;
    for (const auto& s : topology.stages()) all += (all.empty() ? "" : ", ") + s.name;
    return fail(errc::not_found, only, "no such stage; there are: " + all);
  }
  admin::status out;
  out.app = topology.app_name();
  out.instance = h.instance();
  out.log = h.log().name();
  out.log_id = h.log().id();
  out.started = h.started_at();
  if (const auto failure = h.failure()) {
    out.failed = true;
    out.failure = problem_of(*failure);
  }
  const auto tasks = h.status();
  for (const auto& stage : topology.stages()) {
    if (!only.empty() && stage.name != only) continue;
    admin::stage_status s;
    s.name = stage.name;
    s.generation = stage.generation.value;
    s.source = stage.source.has_value();
    s.keyed = stage.state.has_value();
    s.windowed = stage.windowed;
    for (const auto& t : tasks) {
      if (t.id.stage == stage.name) s.tasks.push_back(describe_task(t));
    }
    out.stages.push_back(std::move(s));
  }
  return out;
}

}  // namespace kappa::detail
