// Builds that are wrong on purpose: the checker must see it in what they leave behind.
//
// A process that hangs, ends with an error or refuses to start shows that something is wrong, but
// not that the checker would have seen it: it is told, and does not count. And so that it is known
// to be the fault that is found, not the kills, the same kills without the fault must find nothing.
#include <functional>

#include <fmt/format.h>

#include "crash/lab.hpp"

namespace kappa::crash {
namespace {

constexpr int least_trials = 3;
constexpr int most_trials = 6;
constexpr int must_find = 2;  // of these
constexpr int least_kills = 3;
// Longer than in other trials: more lies between a T1 and the T2 before it, for a fault to show in.
constexpr std::chrono::milliseconds snapshot_interval{50};

constexpr int most_ends = 6;
// Of a broken build, which may wait for ever for what it has lost: that is told, and does not
// count.
constexpr std::chrono::seconds longest_broken_run{30};

struct variant {
  std::string name;
  int holds = 1;  // kills while a T1 hangs
  int after_snapshots = 5;
};

struct killed_job {
  job of;
  int stopped_itself = 0;  // processes that ended with an error instead of being killed
};

// The first kill is well into the work, where every task has its birth record in the log: a state
// that is ahead of a T1 with the birth record is refused at start, and would never get as far as
// the checker. Then between T2 and T1, where it hurts, and at any time. A process that ends by
// itself, with an error, is started again as a supervisor would. The same kills for the same seed
// and name, whatever the environment does.
killed_job kill_job(lab& l, const variant& what, int trial, const std::string& folder,
                    std::vector<std::string> environment) {
  auto rng = l.random(fmt::format("{}-{}", what.name, trial));
  const auto& usual = l.dense();
  const bool broken = !environment.empty();
  killed_job done{l.make_job(usual, folder, std::move(environment))};
  auto& j = done.of;
  j.snapshot_every(snapshot_interval);
  if (broken) j.hangs_after(longest_broken_run);
  const auto few = [](std::uint64_t hits) { return std::max<std::uint64_t>(2, hits / 12); };

  std::vector<std::function<bool()>> steps;
  steps.emplace_back(
      [&j, n = static_cast<std::uint64_t>(usual.rows) / 4] { return j.kill_at("ingest.read", n); });
  for (int i = 0; i < what.holds; ++i) {
    steps.emplace_back([&, n = pick(rng, 2, few(usual.counts.t1()))] {
      return j.hold_at("log.before_commit", n, held_for(usual));
    });
  }
  for (int i = 0; i < what.after_snapshots; ++i) {
    steps.emplace_back([&j, n = pick(rng, 2, few(usual.counts.t2()))] {
      return j.kill_at("state.after_commit", n);
    });
  }
  const auto later = moment(rng, usual.startup_ns, usual.startup_ns + usual.busy_ns / 12);
  steps.emplace_back([&j, later] { return j.kill_after(later); });

  for (const auto& step : steps) {
    const auto problems = j.problems().size();
    if (step()) continue;
    if (j.problems().size() == problems) break;  // it is done
    ++done.stopped_itself;
  }
  for (int i = 0; i < most_ends; ++i) {
    const auto status = j.run();
    if (status == 0) {
      j.check();
      break;
    }
    ++done.stopped_itself;
    j.problem(fmt::format("the last run ended with {}: {}", status, j.said()));
    if (!broken) break;
  }
  return done;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

void broken_trial(lab& l, const variant& what) {
  int caught = 0;
  int trials = 0;
  std::string told;
  while (trials < least_trials || (caught < must_find && trials < most_trials)) {
    const int i = ++trials;
    const auto done = kill_job(l, what, i, fmt::format("broken-{}-{}", what.name, i),
                               {"KAPPA_BREAK=" + what.name});
    const auto& j = done.of;
    std::string found = "nothing";
    if (!j.found_by_checker().empty()) {
      ++caught;
      found = count_differences(j.of(), j);
      if (found.empty()) found = first_line(j.found_by_checker().front());
    } else if (!j.problems().empty()) {
      found = fmt::format("nothing by the checker; {}", first_line(j.problems().front()));
    }
    told += fmt::format("\n     trial {}, {} kills: {}", i, j.kills(), found);
    if (done.stopped_itself != 0)
      told += fmt::format(" (it stopped by itself {} times)", done.stopped_itself);
    if (!j.refusal().empty())
      told += fmt::format("\n       it refused to start: {}", first_line(j.refusal()));
    std::filesystem::remove_all(j.folder());
  }
  const auto name = fmt::format("broken on purpose: {}: found by the checker in {} of {} trials{}",
                                what.name, caught, trials, told);
  l.report(name, caught >= must_find
                     ? std::vector<std::string>{}
                     : std::vector<std::string>{"the checker passed what is broken too often"});
}

void control_trial(lab& l, const variant& what) {
  for (int i = 1; i <= least_trials; ++i) {
    auto done = kill_job(l, what, i, fmt::format("control-{}-{}", what.name, i), {});
    if (done.of.kills_in_the_middle() < least_kills)
      done.of.problem("too few kills between the first T1 and the last");
    l.report(done.of, fmt::format("not broken, as {} {}", what.name, i));
  }
}

}  // namespace

void broken_trials(lab& l) {
  // A T1 that hangs is what lets T2 get ahead: about one kill in five finds a lost result.
  for (const auto& what :
       {variant{"t2-before-t1", 9, 0}, variant{"t2-mixed"}, variant{"no-muted-gap"}}) {
    control_trial(l, what);
    broken_trial(l, what);
  }
}

}  // namespace kappa::crash
