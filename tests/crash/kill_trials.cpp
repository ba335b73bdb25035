// Kills at every failpoint.
#include <algorithm>

#include <fmt/format.h>

#include "crash/lab.hpp"
#include "kappa/actors/admin_client.hpp"
#include "kappa/log/embedded_log.hpp"

namespace kappa::crash {
namespace {

constexpr int kills_at_a_point = 3;

// Points that the flights job does not reach: it keeps its topics for ever.
bool needs_log_program(std::string_view point) { return point.starts_with("retention."); }

// Points that only a job on Kafka passes: tests/kafka/faults kills there.
bool needs_kafka(std::string_view point) { return point.starts_with("kafka."); }

// Points that only a copy to another log passes: tests/copy ends it there.
bool needs_copy(std::string_view point) { return point.starts_with("copy."); }

bool is_at_start(std::string_view point) {
  return point == "log.take_app" || point == "recover.plan" || point == "recover.live";
}

// Half-way, then killed again while it starts.
void kill_while_starting(job& j, std::string_view point, std::uint64_t n) {
  if (!j.kill_at("ingest.read", static_cast<std::uint64_t>(j.of().rows) / 2))
    j.problem("it was not killed half-way");
  if (!j.kill_at(point, n)) j.problem(fmt::format("{}:{} was not reached", point, n));
}

void start_trial(lab& l, std::string_view point, std::mt19937_64& rng) {
  auto j = l.make_job(l.small(), fmt::format("point-{}", point));
  const auto in_one_start = std::max<std::uint64_t>(1, l.small().counts.of(point).hits);
  kill_while_starting(j, point, pick(rng, 1, in_one_start));
  (void)j.kill_at(point, pick(rng, 1, in_one_start));
  j.finish();
  if (!j.counts_as_trial()) j.problem("too few T1 or T2 for a trial");
  l.report(j, std::string{point});
}

// The gap between snapshot and commit is replayed at each start after a kill: killed in its midst,
// and again in the midst of a replay from the first record. A kill before a T2 leaves a gap of one
// record or more; how long it is varies with the machine's load: when it ended before the kill,
// earlier.
void replay_trial(lab& l, std::string_view point, std::mt19937_64& rng) {
  for (std::uint64_t latest = 20;; latest /= 2) {
    auto j = l.make_job(l.small(), fmt::format("point-{}", point));
    const auto snapshots = l.small().counts.t2();
    if (!j.kill_at("t2.before_commit", pick(rng, snapshots / 4, snapshots / 3)))
      j.problem("it was not killed half-way");
    const bool twice =
        j.kill_at(point, pick(rng, 1, latest)) && j.kill_at(point, pick(rng, 1, latest));
    if (!twice && j.problems().empty() && latest > 1) continue;
    if (!twice) j.problem("a start was not killed in its replay");
    std::filesystem::remove_all(j.state());
    const auto half = static_cast<std::uint64_t>(j.of().rows) / 2;
    if (!j.kill_at(point, pick(rng, half / 8, half / 4)))
      j.problem("it was not killed in the replay of everything");
    j.finish();
    if (!j.counts_as_trial()) j.problem("too few T1 or T2 for a trial");
    l.report(j, std::string{point});
    return;
  }
}

// Points that are reached when a stage is replayed in place only.
bool needs_replay_request(std::string_view point) {
  return point.starts_with("rebuild.") || point.starts_with("admin.");
}

result<void> ask_for_replay(const job& j) {
  auto log = open_embedded_log({.folder = j.log()});
  if (!log) return fail(log.error());
  auto call = admin_client{*log, "flights"}.send(admin::replay_request{.stage = "hourly-delays"});
  if (!call) return fail(call.error());
  return {};
}

// Asked for half-way, and killed in it; whoever starts next does it.
void rebuild_trial(lab& l, std::string_view point, std::mt19937_64& rng) {
  auto j = l.make_job(l.small(), fmt::format("point-{}", point));
  if (!j.kill_at("ingest.read", static_cast<std::uint64_t>(j.of().rows) / 2))
    j.problem("it was not killed half-way");
  if (auto asked = ask_for_replay(j); !asked) j.problem(asked.error().text());
  const bool each_task = point.starts_with("rebuild.");
  if (!j.kill_at(point, each_task ? pick(rng, 1, 2) : 1)) j.problem("it was not killed");
  j.finish();
  if (!j.counts_as_trial()) j.problem("too few T1 or T2 for a trial");
  l.report(j, std::string{point});
}

void creation_trial(lab& l, std::string_view point, std::mt19937_64& rng) {
  auto j = l.make_job(l.small(), fmt::format("point-{}", point));
  const auto topics = l.small().counts.of(point).hits;
  if (topics < 3) j.problem("the job creates fewer than 3 topics");
  if (!j.kill_at(point, pick(rng, 2, topics - 1))) j.problem("it was not killed");
  (void)j.kill_at(point, 1);  // the next start: those that are there already are not created again
  j.finish();
  if (j.counts().of(point).hits < topics) j.problem("topics are missing");
  if (!j.counts_as_trial()) j.problem("too few T1 or T2 for a trial");
  l.report(j, std::string{point});
}

void work_trial(lab& l, std::string_view point, std::mt19937_64& rng) {
  // How often a point is hit varies with the machine's load: when the job ended before the first
  // kill, earlier.
  auto hits = l.small().counts.of(point).hits;
  for (;; hits /= 2) {
    auto j = l.make_job(l.small(), fmt::format("point-{}", point));
    const auto share = std::max<std::uint64_t>(1, hits / (kills_at_a_point + 1));
    while (j.kills() < kills_at_a_point && j.kill_at(point, pick(rng, (share + 2) / 3, share))) {
    }
    if (j.kills() == 0 && j.problems().empty() && hits > 1) continue;
    if (j.kills() == 0) j.problem("it was never hit: the point needs a trial of its own");
    j.finish();
    if (j.kills_in_the_middle() == 0) j.problem("no kill between the first T1 and the last");
    if (!j.counts_as_trial()) j.problem("too few T1 or T2 for a trial");
    l.report(j, std::string{point});
    return;
  }
}

// A disk that hangs in a commit: nothing may run ahead of it. (Broken variants do.)
void held_trial(lab& l) {
  auto rng = l.random("held");
  const auto& usual = l.small();
  auto j = l.make_job(usual, "held");
  for (const auto* point : {"log.before_commit", "state.before_commit"}) {
    if (!j.hold_at(point, pick(rng, 2, 20), held_for(usual)))
      j.problem("it ended before it was killed");
  }
  j.finish();
  if (!j.counts_as_trial()) j.problem("too few T1 or T2 for a trial");
  l.report(j, "held in a commit");
}

}  // namespace

void failpoint_trials(lab& l) {
  fmt::print("failpoints: {}\n", failpoint::names().size());
  for (const auto point : failpoint::names()) {
    if (needs_kafka(point) || needs_copy(point)) continue;
    auto rng = l.random(std::string{point});
    if (needs_log_program(point)) {
      log_trial(l, point);
    } else if (is_at_start(point)) {
      start_trial(l, point, rng);
    } else if (point == "recover.replay") {
      replay_trial(l, point, rng);
    } else if (needs_replay_request(point)) {
      rebuild_trial(l, point, rng);
    } else if (point == "log.create_topic") {
      creation_trial(l, point, rng);
    } else {
      work_trial(l, point, rng);
    }
  }
  held_trial(l);
  // The log's own points again without an app: an outside append with a producer's sequence.
  for (const auto* point : {"log.begin", "log.after_frames", "log.before_commit",
                            "log.after_commit", "log.after_wake"}) {
    log_trial(l, point);
  }
}

}  // namespace kappa::crash
