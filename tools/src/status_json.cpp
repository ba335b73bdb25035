#include "status_json.hpp"

#include "kappa/serialization/json.hpp"

namespace kappa::tools {
namespace {

class status_writer {
 public:
  status_writer(std::string& out, bool running) : json_{out}, running_{running} {}

  void write(const admin::status& s, const std::optional<std::string>& holder) {
    json_.begin_object();
    json_.member("running");
    json_.boolean(running_);
    text("holder", holder.value_or(""));
    json_.member("status");
    json_.begin_object();
    text("app", s.app);
    text("instance", s.instance);
    text("log", s.log);
    text("logId", s.log_id);
    time("started", s.started);
    json_.member("stages");
    json_.begin_array();
    for (const auto& stage : s.stages) write(stage);
    json_.end_array();
    json_.member("failed");
    json_.boolean(s.failed);
    json_.member("failure");
    s.failed ? write(s.failure) : json_.null();
    json_.member("processes");
    json_.begin_array();
    for (const auto& p : s.processes) write(p);
    json_.end_array();
    json_.end_object();
    json_.end_object();
  }

 private:
  void write(const admin::problem& p) {
    json_.begin_object();
    number("code", std::uint64_t{p.code});
    text("kind", p.kind);
    text("subject", p.subject);
    text("message", p.message);
    json_.end_object();
  }

  void write(const admin::process_status& p) {
    json_.begin_object();
    text("id", p.id);
    text("instance", p.instance);
    json_.member("answers");
    json_.boolean(p.answers);
    time("started", p.started);
    json_.member("failed");
    p.answers ? json_.boolean(p.failed) : json_.null();
    json_.member("failure");
    p.failed ? write(p.failure) : json_.null();
    json_.end_object();
  }

  void write(const admin::stage_status& s) {
    json_.begin_object();
    text("name", s.name);
    number("generation", std::int64_t{s.generation});
    json_.member("source");
    json_.boolean(s.source);
    json_.member("keyed");
    json_.boolean(s.keyed);
    json_.member("windowed");
    json_.boolean(s.windowed);
    json_.member("tasks");
    json_.begin_array();
    for (const auto& t : s.tasks) write(s, t);
    json_.end_array();
    json_.end_object();
  }

  void write(const admin::stage_status& stage, const admin::task_status& t) {
    const bool running = running_ && was_told(t);
    const bool lag_known = knows_lag(stage, t, running);
    // One that could not be opened says why in lastError.
    const bool state_known = running || stage.source || t.state_file_bytes != 0;
    json_.begin_object();
    number("partition", std::int64_t{t.partition});
    text("health", text_of(t.health));
    text("phase", running ? text_of(t.phase) : std::string{});
    json_.member("inputs");
    json_.begin_array();
    for (const auto& in : t.inputs) {
      json_.begin_object();
      text("topic", in.topic);
      number("next", in.next);
      number("lag", in.lag, lag_known);
      json_.end_object();
    }
    json_.end_array();
    number("recordsIn", t.records_in, running);
    number("recordsOut", t.records_out, running);
    number("deadLetters", t.dead_letters, running);
    number("lateRecords", t.late_records, state_known);
    number("lag", t.lag, lag_known);
    time("watermark", t.watermark);
    number("epoch", t.epoch);
    time("lastSnapshot", t.last_snapshot);
    number("stateFileBytes", t.state_file_bytes, state_known);
    number("stateUsedBytes", t.state_used_bytes, state_known);
    number("stateEntries", t.state_entries, state_known);
    number("dirtyBytes", t.dirty_bytes, running);
    number("cacheBytes", t.cache_bytes, running);
    number("replayed", t.replayed, running);
    number("replayTotal", t.replay_total, running);
    number("failures", std::int64_t{t.failures}, running);
    text("lastError", t.last_error);
    text("instance", t.instance);
    json_.end_object();
  }

  // Empty: none, or unknown.
  void text(const char* name, const std::string& v) {
    json_.member(name);
    v.empty() ? json_.null() : json_.text(v);
  }
  template <class Number>
  void number(const char* name, Number v, bool known = true) {
    json_.member(name);
    known ? json_.integer(v) : json_.null();
  }
  // 1970: none, or unknown.
  void time(const char* name, timestamp v) {
    json_.member(name);
    v == timestamp{} ? json_.null() : json_.time(v);
  }

  json_writer json_;
  bool running_;
};

}  // namespace

bool was_told(const admin::task_status& t) {
  return t.health != admin::health::unanswered && t.health != admin::health::unowned;
}

bool knows_lag(const admin::stage_status& stage, const admin::task_status& task, bool running) {
  return running || (!stage.source && !task.inputs.empty());
}

std::string json_of_status(const admin::status& s, const std::optional<std::string>& holder) {
  std::string out;
  status_writer{out, holder.has_value()}.write(s, holder);
  return out;
}

}  // namespace kappa::tools
