// What the trials share: the job's program, a work folder, the inputs with their undisturbed runs,
// and the tally.
//
// Threading: one thread. Errors: throws std::runtime_error when the undisturbed run itself fails.
#pragma once

#include <map>
#include <random>

#include "crash/job.hpp"

namespace kappa::crash {

class lab {
 public:
  lab(const std::filesystem::path& work, std::uint64_t seed)
      : work_{std::filesystem::weakly_canonical(work)}, seed_{seed} {}

  /// 60,000 rows of the real file with 1 % garbage among them, paced to about a second.
  [[nodiscard]] const reference& small();
  /// Every eighth row of the real file, paced to about a second: hours close so fast that every
  /// epoch has results.
  [[nodiscard]] const reference& dense();
  /// The whole real file, paced to about two seconds.
  [[nodiscard]] const reference& whole();

  [[nodiscard]] job make_job(const reference& of, const std::string& name,
                             std::vector<std::string> environment = {});
  /// Prints a finished trial; false (and counted) when it has problems. A good one's folder is
  /// removed.
  bool report(const job& j, const std::string& name);
  /// A check outside of a job.
  bool report(const std::string& name, const std::vector<std::string>& problems);

  /// The same numbers for the same seed and name.
  [[nodiscard]] std::mt19937_64 random(const std::string& name) const;
  [[nodiscard]] const std::filesystem::path& work() const { return work_; }
  [[nodiscard]] int failures() const { return failures_; }

 private:
  [[nodiscard]] reference undisturbed(const std::string& name, const std::filesystem::path& input,
                                      double rate);

  std::filesystem::path work_;
  std::uint64_t seed_;
  std::map<std::string, reference> references_;
  int failures_ = 0;
};

/// A number from [low, high].
[[nodiscard]] std::uint64_t pick(std::mt19937_64& rng, std::uint64_t low, std::uint64_t high);
/// The same of nanoseconds.
[[nodiscard]] std::chrono::nanoseconds moment(std::mt19937_64& rng, std::int64_t low,
                                              std::int64_t high);
/// This program, for what runs in a process of its own.
[[nodiscard]] std::filesystem::path this_program();
/// How long a thread is held: an eighth of the work, and what other threads still do.
[[nodiscard]] std::chrono::nanoseconds held_for(const reference& of);

// ── the trials; each prints what it does and reports to the lab ──

/// A kill at each failpoint. A name that kills nothing is a failure.
void failpoint_trials(lab& l);
/// Kills at random moments, until `kills` have been counted: of the job at work, of the job in its
/// replay, of a program that appends and removes, of salvage.
void random_trials(lab& l, int kills);
/// The same on the whole file.
void whole_trial(lab& l);
/// Each deliberately broken variant must be caught by the checker, and an unbroken one must pass
/// the very same kills.
void broken_trials(lab& l);
/// Deleted state, a deleted position, two processes, SIGTERM, another log.
void process_trials(lab& l);
/// Losses of power at seeded moments, until `losses` have been counted.
void power_trials(lab& l, int losses);
/// Builds that do not sync must be caught after losses of power.
void unsynced_trials(lab& l);
/// What a loss of power has left, looked at before anything runs again: damage, and commits that
/// had returned (`t1` in the log, `t2` in all states) and are not there.
[[nodiscard]] std::vector<std::string> wrong_after_loss(const std::filesystem::path& log,
                                                        const std::filesystem::path& state,
                                                        std::uint64_t t1, std::uint64_t t2);
/// One failpoint of the log, in a program that only appends and removes.
void log_trial(lab& l, std::string_view point);
/// Salvages a log that has damage: `kappa_crash salvage-work FROM TO`.
[[nodiscard]] int salvage_work(const std::filesystem::path& from, const std::filesystem::path& to);
/// Up to `most` kills of that, half of them with a loss of power; reports. Returns how many; 0: it
/// failed.
[[nodiscard]] int salvage_kills(lab& l, const std::string& name, int most, std::mt19937_64& rng);

/// Up to `most` kills of the log's program at random moments; reports. Returns how many; 0: it
/// failed.
[[nodiscard]] int log_kills(lab& l, const std::string& name, int most, std::mt19937_64& rng);

/// That program: `kappa_crash log-work FOLDER [RECEIPTS]`. What was acknowledged is counted in the
/// file RECEIPTS, and must be there at the start.
[[nodiscard]] int log_work(const std::filesystem::path& folder,
                           const std::filesystem::path& receipts);
/// What it must have left in the end.
[[nodiscard]] std::vector<std::string> wrong_with_log_work(const std::filesystem::path& folder);

}  // namespace kappa::crash
