// Losses of power: the job and the log's program run under the power shim (power/shim.cpp), are
// killed, and what they had not synced is taken back, before what is left is looked at and they go
// on.
#include <algorithm>
#include <csignal>

#include <fmt/format.h>

#include "crash/lab.hpp"
#include "crash/power/loss.hpp"

namespace kappa::crash {
namespace {

constexpr int losses_in_a_trial = 6;
constexpr int losses_of_log_program = 5;
// Steps in which the log, its first topics and the states are made.
constexpr std::uint64_t first_steps = 120;

// Where a commit, or a name, is just about to be durable, or has just become so.
constexpr std::string_view commit_points[] = {
    "log.after_frames", "log.before_commit",  "log.after_commit",    "log.after_wake",
    "t1.after_commit",  "state.after_tables", "state.before_commit", "state.after_commit",
    "t2.after_commit",  "log.begin"};

struct totals {
  int losses = 0;
  int in_the_middle = 0;
  int trials = 0;
  std::uint64_t writes = 0;
  std::uint64_t syncs = 0;
  std::uint64_t unsynced = 0;
  std::uint64_t lost = 0;
  std::uint64_t names = 0;
  int with_unsynced = 0;  // losses that had something to lose

  void add(const power::loss_report& r) {
    ++losses;
    writes += r.writes;
    syncs += r.syncs;
    unsynced += r.unsynced;
    lost += r.lost;
    names += r.lost_names;
    with_unsynced += r.unsynced != 0 ? 1 : 0;
  }
  // Of a trial that passed.
  void add(const totals& trial) {
    ++trials;
    losses += trial.losses;
    with_unsynced += trial.with_unsynced;
    writes += trial.writes;
    syncs += trial.syncs;
    unsynced += trial.unsynced;
    lost += trial.lost;
    names += trial.names;
  }
  [[nodiscard]] std::string text() const {
    return fmt::format(
        "{} with writes under way; {} writes and {} syncs; {} sectors and {} names not synced yet "
        "were taken back, {} sectors kept",
        with_unsynced, writes, syncs, lost, names, unsynced - lost);
  }
};

power::loss_mode any_mode(std::mt19937_64& rng) {
  return power::all_loss_modes[pick(rng, 0, std::size(power::all_loss_modes) - 1)];
}

// A job whose power is lost.
class powered_job {
 public:
  powered_job(lab& l, const reference& of, const std::string& name,
              std::vector<std::string> environment)
      : supply_{l.work() / name / "power",
                {l.work() / name / "log", l.work() / name / "state", l.work() / name / "out"}},
        job_{l.make_job(of, name, with(std::move(environment)))} {}

  [[nodiscard]] job& of() { return job_; }
  [[nodiscard]] const power::power_supply& supply() const { return supply_; }
  /// What was found wrong right after a loss.
  [[nodiscard]] const std::vector<std::string>& found() const { return found_; }

  /// All its processes are dead.
  power::loss_report lose(power::loss_mode mode, std::mt19937_64& rng) {
    const auto report = supply_.lose(mode, rng);
    look(mode);
    return report;
  }

 private:
  std::vector<std::string> with(std::vector<std::string> environment) const {
    for (auto& e : supply_.environment()) environment.push_back(std::move(e));
    return environment;
  }

  // In a process of its own: damaged trees crash their reader, or keep it for ever.
  void look(power::loss_mode mode) {
    const auto said = job_.folder() / "look";
    const auto c = job_.counts();
    process p{{this_program().string(), "look", job_.log().string(), job_.state().string(),
               std::to_string(c.t1()), std::to_string(c.t2())},
              {},
              said};
    const auto status = p.wait(std::chrono::seconds{60});
    if (status == 0) return;
    auto text = file_text(said);
    if (status != 1) text = fmt::format("damaged: the reader ended with {}", status.value_or(-99));
    found_.push_back(fmt::format("after a loss ({}): {}", power::name_of(mode), text));
    job_.problem(found_.back());
  }

  power::power_supply supply_;
  job job_;
  std::vector<std::string> found_;
};

// One life of it, ended by a kill. False: it ended by itself.
bool one_life(job& j, const reference& usual, std::uint64_t usual_steps, bool first,
              std::mt19937_64& rng) {
  const auto share = 2 * usual.busy_ns / (losses_in_a_trial + 2);
  switch (pick(rng, 0, 5)) {
    case 0:  // at any moment
      return j.kill_after(
          moment(rng, first ? usual.startup_ns : 0, usual.startup_ns * 3 / 2 + share));
    case 1: {
      const auto point = commit_points[pick(rng, 0, std::size(commit_points) - 1)];
      return j.kill_at(point, pick(rng, 1, usual.counts.of(point).hits / losses_in_a_trial));
    }
    case 2:  // while it starts, or makes its log and states
      return j.cut_at(pick(rng, 1, first_steps));
    default:  // between two of its writes, or in a sync
      return j.cut_at(pick(rng, 1, 2 * usual_steps / (losses_in_a_trial + 2)));
  }
}

// Steps of a life that is not disturbed.
std::uint64_t steps_of(lab& l, const reference& of) {
  powered_job p{l, of, "power-undisturbed", {}};
  p.of().finish();
  const auto steps = p.supply().steps();
  if (steps < 1000) p.of().problem(fmt::format("only {} steps: the shim does not see them", steps));
  l.report(p.of(), fmt::format("power shim, undisturbed: {} steps", steps));
  return steps;
}

std::uint64_t steps_of(lab& l) {
  static std::uint64_t steps = 0;  // per process: the same input
  if (steps == 0) steps = steps_of(l, l.small());
  return steps;
}

void power_trial(lab& l, const std::string& name, int most, totals& all) {
  auto rng = l.random(name);
  const auto& usual = l.small();
  const auto steps = steps_of(l);
  powered_job p{l, usual, name, {}};
  auto& j = p.of();
  totals mine;
  while (mine.losses < most && j.problems().empty()) {
    if (!one_life(j, usual, steps, mine.losses == 0, rng)) break;
    mine.add(p.lose(any_mode(rng), rng));
  }
  // What it said is done is durable as well: files, log and states.
  if (j.problems().empty()) {
    if (const auto status = j.run(); status != 0)
      j.problem(fmt::format("the last run ended with {}: {}", status, j.said()));
    p.lose(power::loss_mode::all, rng);
    if (j.problems().empty()) j.check();
  }
  const int middle = j.kills_in_the_middle();
  if (!l.report(j, fmt::format("{} ({})", name, mine.text()))) return;
  all.add(mine);
  all.in_the_middle += middle;
}

struct log_program_end {
  totals of;
  std::vector<std::string> problems;
};

// A program that appends from outside and removes; what was acknowledged must be there.
log_program_end lose_log_program(lab& l, const std::string& name,
                                 const std::vector<std::string>& environment,
                                 std::optional<power::loss_mode> mode = std::nullopt) {
  auto rng = l.random(name);
  const auto folder = l.work() / name;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  power::power_supply supply{folder / "power", {folder / "log"}};
  log_program_end end;
  for (std::optional<int> status; end.problems.empty() && status != 0;) {
    auto with = supply.environment();
    with.insert(with.end(), environment.begin(), environment.end());
    if (end.of.losses < losses_of_log_program)
      with.push_back(
          fmt::format("KAPPA_POWER_CUT={}", pick(rng, 1, pick(rng, 0, 3) == 0 ? 40 : 600)));
    process p{{this_program().string(), "log-work", (folder / "log").string(),
               (folder / "receipts").string()},
              with,
              folder / "output"};
    status = p.wait(std::chrono::seconds{120});
    if (status == -SIGKILL) {
      end.of.add(supply.lose(mode.value_or(any_mode(rng)), rng));
    } else if (status != 0) {
      end.problems.push_back(
          fmt::format("it ended with {}: {}", status.value_or(-1), file_text(folder / "output")));
    }
  }
  if (end.problems.empty()) {
    supply.lose(power::loss_mode::all, rng);
    end.problems = wrong_with_log_work(folder / "log");
  }
  return end;
}

void log_power_trial(lab& l, const std::string& name, totals& all) {
  const auto end = lose_log_program(l, name, {});
  if (l.report(fmt::format("{}: outside appends and retention: {} losses ({})", name, end.of.losses,
                           end.of.text()),
               end.problems)) {
    std::filesystem::remove_all(l.work() / name);
    all.add(end.of);
  }
}

// Power lost at each step of a log's first start: what is left can be read, and the next start goes
// on from there.
void first_start_trials(lab& l) {
  std::vector<std::string> problems;
  std::uint64_t step = 1;
  for (; step <= first_steps / 2 && problems.size() < 5; ++step) {
    for (const auto mode : power::all_loss_modes) {
      auto rng = l.random(fmt::format("first-start-{}-{}", step, power::name_of(mode)));
      const auto folder = l.work() / "first-start";
      std::filesystem::remove_all(folder);
      std::filesystem::create_directories(folder);
      power::power_supply supply{folder / "power", {folder / "log"}};
      const auto life = [&](std::uint64_t cut) {
        auto with = supply.environment();
        with.push_back(fmt::format("KAPPA_POWER_CUT={}", cut));
        process p{{this_program().string(), "log-work", (folder / "log").string(),
                   (folder / "receipts").string()},
                  with,
                  folder / "output"};
        const auto status = p.wait(std::chrono::seconds{120});
        if (status != -SIGKILL) {
          problems.push_back(fmt::format("cut at step {}, {}: it ended with {}: {}", step,
                                         power::name_of(mode), status.value_or(-1),
                                         file_text(folder / "output")));
        }
      };
      life(step);
      supply.lose(mode, rng);
      for (auto& w : wrong_after_loss(folder / "log", folder / "state", 0, 0))
        problems.push_back(fmt::format("cut at step {}, {}: {}", step, power::name_of(mode), w));
      life(100);  // it can go on from what is left
      supply.lose(mode, rng);
    }
  }
  l.report(fmt::format("power lost at each of the first {} steps of a log", step - 1), problems);
}

// What must not pass: a build that does not sync (KAPPA_BREAK), or a disk that lies.
struct unsynced {
  std::string name;
  std::string environment;
};

constexpr int unsynced_trials_of_a_kind = 4;
constexpr int must_find = 2;

// What is found wrong with a job after some losses of power; nothing: it passed. A job that refuses
// to start shows that something is wrong, but not that the checker would have seen it.
std::string lose_unsynced_job(lab& l, const std::string& name, const unsynced& what, int seed) {
  auto rng = l.random(fmt::format("unsynced-{}-{}", what.name, seed));
  const auto& usual = l.small();
  powered_job p{l, usual, name, {what.environment}};
  auto& j = p.of();
  for (int i = 0; i < losses_in_a_trial && p.found().empty(); ++i) {
    // Well into the work: there is something to lose.
    if (!j.cut_at(pick(rng, steps_of(l) / 10, steps_of(l) / 5))) break;
    (void)p.lose(power::all_loss_modes[static_cast<std::size_t>(i + seed) %
                                       std::size(power::all_loss_modes)],
                 rng);
  }
  if (p.found().empty() && j.problems().empty()) j.finish();
  std::string text = p.found().empty() ? std::string{} : p.found().front();
  if (text.empty() && !j.found_by_checker().empty()) text = count_differences(usual, j);
  std::filesystem::remove_all(j.folder());
  return text;
}

void unsynced_trial(lab& l, const unsynced& what, bool with_job) {
  int caught = 0;
  std::string told;
  for (int i = 1; i <= unsynced_trials_of_a_kind; ++i) {
    const auto name = fmt::format("unsynced-{}-{}", what.name, i);
    std::string found;
    if (with_job) {
      found = lose_unsynced_job(l, name, what, i);
    } else {
      const auto end = lose_log_program(l, name, {what.environment}, power::loss_mode::all);
      if (!end.problems.empty()) found = end.problems.front();
      std::filesystem::remove_all(l.work() / name);
    }
    caught += found.empty() ? 0 : 1;
    told += fmt::format("\n     trial {}: {}", i, found.empty() ? "nothing" : found);
  }
  l.report(fmt::format("{}, {}: caught in {} of {} trials{}", what.name,
                       with_job ? "flights" : "outside appends", caught, unsynced_trials_of_a_kind,
                       told),
           caught >= must_find ? std::vector<std::string>{}
                               : std::vector<std::string>{"what does not sync passed too often"});
}

// The same losses with nothing wrong.
void synced_trial(lab& l) {
  for (int i = 1; i <= 2; ++i) {
    const auto found =
        lose_unsynced_job(l, fmt::format("synced-{}", i), {"synced", "KAPPA_BREAK="}, i);
    l.report(fmt::format("synced {}, the same losses", i),
             found.empty() ? std::vector<std::string>{} : std::vector<std::string>{found});
  }
}

}  // namespace

void power_trials(lab& l, int losses) {
  fmt::print("power losses: {}\n", losses);
  first_start_trials(l);
  totals all;
  for (int i = 1; all.losses < losses; ++i) {
    if (l.failures() >= 5) return;  // that will do
    if (i % 4 == 0) {
      log_power_trial(l, fmt::format("power-log-{}", i), all);
    } else {
      power_trial(l, fmt::format("power-{}", i), std::min(losses_in_a_trial, losses - all.losses),
                  all);
    }
  }
  fmt::print(
      "{} losses of power in {} trials, {} of the job's between first T1 and last, {}; "
      "0 lost, 0 doubled\n",
      all.losses, all.trials, all.in_the_middle, all.text());
}

void unsynced_trials(lab& l) {
  fmt::print("what does not sync\n");
  synced_trial(l);
  const unsynced no_fsync{"no-fsync", "KAPPA_BREAK=no-fsync"};
  unsynced_trial(l, no_fsync, true);
  unsynced_trial(l, no_fsync, false);
  const unsynced lying{"a-disk-that-ignores-syncs", "KAPPA_POWER_IGNORE=syncs"};
  unsynced_trial(l, lying, true);
  unsynced_trial(l, {"no-folder-fsync", "KAPPA_BREAK=no-folder-fsync"}, false);
}

}  // namespace kappa::crash
