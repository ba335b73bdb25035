// Kills at random moments: of the job at work, of the job in its replay, of a program that appends
// and removes, of salvage.
#include <algorithm>

#include <fmt/format.h>

#include "crash/lab.hpp"

namespace kappa::crash {
namespace {

constexpr int kills_in_a_trial = 6;

// A job with up to `most` kills at random moments: most of them while it works, some while it
// starts.
job random_job(lab& l, const reference& of, const std::string& name, int most,
               std::mt19937_64& rng) {
  auto j = l.make_job(of, name);
  const auto share = 2 * of.busy_ns / (most + 2);
  while (j.kills() < most) {
    const bool starting = j.kills() != 0 && pick(rng, 0, 3) == 0;
    const auto after = moment(rng, 0, starting ? of.startup_ns : share);
    if (!(starting ? j.kill_after(after) : j.kill_after_first_t1(after))) break;
  }
  return j;
}

bool mostly_in_the_middle(const job& j) { return j.kills_in_the_middle() * 10 >= j.kills() * 8; }

// Killed again and again while a state is rebuilt: state and results were deleted half-way, or a
// replay was asked for.
job replay_job(lab& l, const reference& of, const std::string& name, int most, bool asked,
               std::mt19937_64& rng) {
  auto j = l.make_job(of, name);
  const auto rows = static_cast<std::uint64_t>(of.rows);
  if (!j.kill_at("ingest.read", pick(rng, rows / 2, rows * 3 / 4)))
    j.problem("it was not killed half-way");
  std::vector<std::string> arguments;
  if (asked) {
    arguments = {"--replay", "hourly-delays", "--replay-only"};
  } else {
    j.remove_results();
  }
  while (j.kills() < most) {
    // Records that are replayed, of both keyed stages.
    if (!j.kill_at("recover.replay", pick(rng, 1, rows / 20), arguments)) break;
  }
  return j;
}

struct tally {
  int kills = 0;
  int trials = 0;

  void add(int more) {
    kills += more;
    ++trials;
  }
  [[nodiscard]] std::string text(const char* what) const {
    return trials == 0 ? "" : fmt::format("; {} {} in {} trials", kills, what, trials);
  }
};

}  // namespace

void random_trials(lab& l, int kills) {
  fmt::print("random kills: {}\n", kills);
  auto rng = l.random("random");
  tally work;
  tally replay;
  tally log;
  tally salvage;
  int in_the_middle = 0;
  int passed_over = 0;
  const auto counted = [&] { return work.kills + replay.kills + log.kills + salvage.kills; };
  for (int i = 1; counted() < kills && l.failures() < 5; ++i) {
    const int most = std::min(kills_in_a_trial, kills - counted());
    if (i % 6 == 3) {
      const bool asked = i % 12 == 9;
      const auto name = fmt::format("random-{}: {}", i, asked ? "--replay" : "state deleted");
      auto j = replay_job(l, l.small(), fmt::format("random-{}", i), most, asked, rng);
      if (j.problems().empty()) j.finish();
      const int n = j.kills();
      if (l.report(j, name) && n > 1) replay.add(n);  // the first one made the gap
      continue;
    }
    if (i % 6 == 0) {
      const int n = salvage_kills(l, fmt::format("random-{}", i), most, rng);
      if (n > 0) salvage.add(n);
      continue;
    }
    if (i % 6 == 5) {
      const int n = log_kills(l, fmt::format("random-{}", i), most, rng);
      if (n > 0) log.add(n);
      continue;
    }
    const auto name = fmt::format("random-{}", i);
    auto j = random_job(l, l.small(), name, most, rng);
    if (j.problems().empty()) j.finish();
    const int n = j.kills();
    const int middle = j.kills_in_the_middle();
    const bool counts = j.counts_as_trial() && mostly_in_the_middle(j);
    if (!l.report(j, name)) continue;
    if (!counts) {
      fmt::print("     passed over: too few T1 or T2, or too many kills outside\n");
      if (++passed_over > 5 + work.trials) {
        l.report("random trials", {"most trials do not count"});
        return;
      }
      continue;
    }
    work.add(n);
    in_the_middle += middle;
  }
  fmt::print(
      "{} random kills{}, {} of these between first T1 and last{}{}{}; 0 lost, 0 doubled; {} "
      "trials passed over\n",
      counted(), work.text("of the job at work"), in_the_middle, replay.text("in a replay"),
      log.text("of outside appends and retention"), salvage.text("of salvage"), passed_over);
}

void whole_trial(lab& l) {
  auto rng = l.random("whole");
  for (int i = 1; i <= 5; ++i) {
    auto j = random_job(l, l.whole(), "whole", kills_in_a_trial, rng);
    if (j.problems().empty()) j.finish();
    const bool counts = j.counts_as_trial() && mostly_in_the_middle(j);
    if (!l.report(j, "whole file") || counts) return;
    fmt::print("     passed over: too few T1 or T2, or too many kills outside\n");
  }
  l.report("whole file", {"no trial counts"});
}

}  // namespace kappa::crash
