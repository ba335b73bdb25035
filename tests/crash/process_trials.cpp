// What may happen between two runs: state deleted, a position deleted, a second process, SIGTERM,
// another log.
#include <csignal>

#include <fmt/format.h>

#include "crash/lab.hpp"
#include "kappa/log/embedded_log.hpp"

namespace kappa::crash {
namespace {

std::uint64_t half(const job& j) { return static_cast<std::uint64_t>(j.of().rows) / 2; }

void kill_half_way(job& j) {
  if (!j.kill_at("ingest.read", half(j))) j.problem("it was not killed half-way");
}

// It must not start, and must say why.
void must_refuse(job& j, const std::vector<std::string>& words, const start_options& options = {}) {
  const auto status = j.run(options);
  const auto said = j.said();
  if (status != refused)
    j.problem(fmt::format("expected a refusal (exit code 3), got {}: {}", status, said));
  for (const auto& w : words) {
    if (said.find(w) == std::string::npos)
      j.problem(fmt::format("the refusal does not say \"{}\": {}", w, said));
  }
}

void state_deleted_half_way(lab& l) {
  auto j = l.make_job(l.small(), "state-deleted-half-way");
  kill_half_way(j);
  j.remove_results();
  j.finish();
  l.report(j, "state deleted half-way");
}

void state_deleted_after_the_end(lab& l) {
  auto j = l.make_job(l.small(), "state-deleted-after-the-end");
  j.finish();
  if (j.problems().empty()) {
    const auto before = read_raw_log(j.log());
    j.remove_results();
    j.finish();
    const auto after = read_raw_log(j.log());
    for (const auto& [topic, partitions] : before.topics) {
      for (std::size_t p = 0; p < partitions.size(); ++p) {
        if (after.topics.at(topic).at(p) == partitions[p]) continue;
        j.problem(fmt::format("{}#{} had {} records and has {}, or others", topic, p,
                              partitions[p].size(), after.topics.at(topic).at(p).size()));
      }
    }
  }
  l.report(j, "state deleted after the end");
}

// Deletes the committed place of the ingest, as a broken tool would.
void forget_source(job& j) {
  embedded_log_options options;
  options.folder = j.log();
  auto log = open_embedded_log(options);
  if (!log) return j.problem(log.error().text());
  auto all = (*log)->positions("flights");
  if (!all) return j.problem(all.error().text());
  int forgotten = 0;
  for (const auto& m : *all) {
    if (m.key.stage != "ingest") continue;
    if (auto done = (*log)->forget_position(m.key); !done) return j.problem(done.error().text());
    ++forgotten;
  }
  if (forgotten != 1) j.problem(fmt::format("the ingest has {} positions", forgotten));
}

void position_deleted(lab& l) {
  auto j = l.make_job(l.small(), "position-deleted");
  kill_half_way(j);
  forget_source(j);
  must_refuse(j, {"flights/ingest.g1[0]", "position"});
  j.remove_results();  // without state too
  must_refuse(j, {"flights/ingest.g1[0]", "position"});
  j.run({true, {}, {}});  // --fresh is the mend
  j.check();
  l.report(j, "the source's position deleted");
}

void two_at_once(lab& l) {
  auto j = l.make_job(l.small(), "two-at-once");
  auto first = j.start({true,
                        {fmt::format("KAPPA_FAILPOINT=ingest.read:{}", half(j)),
                         fmt::format("KAPPA_FAILPOINT_SIGNAL={}", SIGSTOP)},
                        {}});
  if (!first.wait_stopped()) j.problem("the first process ended before it was half-way");
  const auto name = fmt::format("pid {}", first.pid());
  must_refuse(j, {"flights", name},
              {true, {}, {}});  // --fresh: must not delete what another one uses
  must_refuse(j, {"flights", name});
  first.signal(SIGCONT);
  if (const auto status = first.wait(std::chrono::seconds{120}); status != 0) {
    j.problem(fmt::format("the first process ended with {}", status.value_or(-1)));
  }
  j.check();
  l.report(j, "two processes at once");
}

void sigterm(lab& l) {
  auto j = l.make_job(l.small(), "sigterm");
  const auto status = j.run({true,
                             {fmt::format("KAPPA_FAILPOINT=ingest.read:{}", half(j)),
                              fmt::format("KAPPA_FAILPOINT_SIGNAL={}", SIGTERM)},
                             {}});
  if (status != 0) j.problem(fmt::format("after SIGTERM it ended with {}: {}", status, j.said()));
  const auto read = j.counts().of("ingest.read").hits;
  if (read >= static_cast<std::uint64_t>(j.of().rows)) j.problem("it went on to the end");
  j.finish();
  if (const auto replayed = j.counts().of("recover.replay").hits; replayed != 0) {
    j.problem(fmt::format("the restart replayed (in {} runs) what an orderly stop should have kept",
                          replayed));
  }
  l.report(j, "SIGTERM half-way");
}

void other_logs(lab& l) {
  auto j = l.make_job(l.small(), "other-logs");
  kill_half_way(j);
  const auto older = j.folder() / "older";
  std::filesystem::copy(j.log(), older, std::filesystem::copy_options::recursive);
  if (!j.kill_at("ingest.read", half(j) / 2)) j.problem("it was not killed once more");
  const auto newer = j.folder() / "newer";
  std::filesystem::rename(j.log(), newer);
  must_refuse(j, {"incompatible", read_raw_log(newer).id});  // a log made anew
  const auto said = j.said();
  if (said.find(read_raw_log(j.log()).id) == std::string::npos) {
    j.problem("the refusal does not name the new log: " + said);
  }
  std::filesystem::remove_all(j.log());
  std::filesystem::copy(older, j.log(), std::filesystem::copy_options::recursive);
  must_refuse(j, {"not the one that this state came from"});  // an old copy
  std::filesystem::remove_all(j.log());
  std::filesystem::rename(newer, j.log());
  j.finish();
  l.report(j, "another log, an older log");
}

}  // namespace

void process_trials(lab& l) {
  state_deleted_half_way(l);
  state_deleted_after_the_end(l);
  position_deleted(l);
  two_at_once(l);
  sigterm(l);
  other_logs(l);
}

}  // namespace kappa::crash
