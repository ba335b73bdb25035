#include "kappa/task/recovery.hpp"

#include <fmt/format.h>

namespace kappa {
namespace {

std::string subject(const recovery_facts& f, const input_facts& in) {
  return fmt::format("{} input {}", f.task.text(), in.name);
}

tl::unexpected<error> refuse(std::string subject, std::string message) {
  return fail(errc::refused_start, std::move(subject), std::move(message));
}

result<recovery_plan::input> first_start(const recovery_facts& f, const input_facts& in) {
  if (in.committed || in.in_state) {
    return refuse(
        subject(f, in),
        fmt::format("a position ({}) but no birth record of the stage in the log: the epochs "
                    "topic was deleted or is another log's; start over with --fresh",
                    in.committed ? in.committed->value : in.in_state->value));
  }
  const auto start = in.start_from.value_or(in.first);
  if (start < in.first || start > in.latest) {
    return refuse(subject(f, in),
                  fmt::format("start position {} is outside of what the log has [{}, {})", start,
                              in.first, in.latest));
  }
  return recovery_plan::input{start, start};
}

result<recovery_plan::input> restart(const recovery_facts& f, const input_facts& in, offset start,
                                     bool& empty_state) {
  if (!in.committed && !in.in_state) {
    return refuse(
        subject(f, in),
        "the stage has run before (birth record), but neither the log nor a state has its "
        "position: going on could repeat output; start over with --fresh, or restore the state");
  }
  if (!in.committed && !f.adopt_state_position) {
    return refuse(
        subject(f, in),
        fmt::format("the state is at {}, but the log has no committed position (expired or "
                    "deleted); if nothing ran since, start with --adopt-state-position",
                    *in.in_state));
  }
  const auto committed = in.committed.value_or(in.in_state.value_or(offset{0}));
  if (in.in_state && *in.in_state > committed) {
    return refuse(
        subject(f, in),
        fmt::format("the state is at {}, ahead of the log's committed position {}: the log is not "
                    "the one that this state came from; delete the state folder to rebuild it",
                    *in.in_state, committed));
  }
  if (committed > in.latest) {
    return refuse(
        subject(f, in),
        fmt::format("the committed position {} is past the log's end {}: the log lost records",
                    committed, in.latest));
  }
  if (committed < in.first) {
    return refuse(
        subject(f, in),
        fmt::format("unprocessed input was deleted: committed up to {}, but the log begins at {}; "
                    "lengthen the topic's retention, and start over with --fresh",
                    committed, in.first));
  }
  const auto from = in.in_state ? *in.in_state : start;
  if (from >= in.first) {
    if (!in.in_state) empty_state = true;
    return recovery_plan::input{from, committed};
  }
  if (!f.rebuildable) {
    return refuse(
        subject(f, in),
        fmt::format(
            "{} {}, but the log begins at {}, so the state cannot be rebuilt by replay; "
            "restore a snapshot taken at {} or later, or declare the stage rebuildable from "
            "what is retained",
            in.in_state ? "the state is at" : "there is no state; it would start at", from,
            in.first, in.first));
  }
  empty_state = true;
  return recovery_plan::input{in.first, committed};
}

}  // namespace

result<recovery_plan> plan_recovery(const recovery_facts& facts) {
  auto f = facts;
  if (f.state_log_id && f.state_rebuild < f.rebuild_ordered) {
    f.state_log_id.reset();
    f.state_epoch.reset();
    for (auto& in : f.inputs) in.in_state.reset();
  }
  if (f.state_log_id && *f.state_log_id != f.log_id) {
    return fail(
        errc::incompatible, f.task.text(),
        fmt::format(
            "the state is of log {}, this log is {}: use that log, or delete the state folder",
            *f.state_log_id, f.log_id));
  }
  recovery_plan plan;
  if (f.birth && f.birth->log_id != f.log_id) {
    return fail(
        errc::incompatible, f.task.text(),
        fmt::format("the birth record is of log {}, this log is {}", f.birth->log_id, f.log_id));
  }
  plan.first_start = !f.birth;
  bool empty_state = !f.state_log_id;
  for (std::size_t i = 0; i < f.inputs.size(); ++i) {
    const auto& in = f.inputs[i];
    if (f.birth && (i >= f.birth->inputs.size() || f.birth->inputs[i] != in.name)) {
      return refuse(subject(f, in), "the stage was born with other inputs: use a new generation");
    }
    auto planned = f.birth ? restart(f, in, f.birth->starts[i], empty_state) : first_start(f, in);
    if (!planned) return fail(planned.error());
    plan.inputs.push_back(*planned);
  }
  if (f.birth && f.state_epoch && f.committed_epoch && *f.state_epoch > *f.committed_epoch) {
    return refuse(
        f.task.text(),
        fmt::format("the state is of epoch {}, the log committed only {}: the log is not the one "
                    "that this state came from; delete the state folder to rebuild it",
                    *f.state_epoch, *f.committed_epoch));
  }
  // One input that must be replayed from the start means all: a state is as of one epoch.
  if (empty_state && f.birth) {
    for (std::size_t i = 0; i < f.inputs.size(); ++i) {
      auto& in = plan.inputs[i];
      const auto start = f.birth->starts[i];
      if (start < f.inputs[i].first && !f.rebuildable) {
        return refuse(subject(f, f.inputs[i]),
                      fmt::format("the state must be rebuilt from {}, but the log begins at {}",
                                  start, f.inputs[i].first));
      }
      in.replay_from = std::max(start, f.inputs[i].first);
    }
  }
  plan.from_empty_state = empty_state;
  return plan;
}

}  // namespace kappa
