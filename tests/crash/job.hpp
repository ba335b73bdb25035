// One flights job in a folder of its own: a trial is such a job from --fresh to done, over all its
// kills.
//
// Threading: one thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "crash/process.hpp"
#include "crash/raw_log.hpp"

namespace kappa::crash {

/// The job's exit code when it refuses to start.
inline constexpr int refused = 3;

/// Of commits and snapshots, for a run to count as a trial.
inline constexpr std::uint64_t least_t1 = 50;
inline constexpr std::uint64_t least_t2 = 10;

/// What an undisturbed run of the same input left behind, and what is known of the input itself.
struct reference {
  std::filesystem::path input;
  double rate = 0;  // rows a second
  std::int64_t rows = 0;
  std::set<std::int64_t> bad_rows;
  raw_log log;
  std::string dump;
  std::string hours;
  std::string alerts;
  hit_counts counts;
  std::int64_t startup_ns = 0;  // from the process's start to its first T1
  std::int64_t busy_ns = 0;     // from its first T1 to its last
};

struct start_options {
  bool fresh = false;
  std::vector<std::string> environment;
  std::vector<std::string> arguments;
};

class job {
 public:
  /// `environment` is given to each of its processes. The folder is made anew.
  job(std::filesystem::path program, const reference& of, std::filesystem::path folder,
      std::vector<std::string> environment = {});

  /// 20 ms unless told.
  void snapshot_every(std::chrono::milliseconds interval) { snapshot_interval_ = interval; }

  /// What runs longer hangs; 180 s unless told.
  void hangs_after(std::chrono::seconds longest) { longest_run_ = longest; }

  [[nodiscard]] process start(const start_options& options = {}) const;
  /// Runs it to the end of the process: the exit code, or minus the signal. A hang counts as a
  /// problem.
  int run(const start_options& options = {});

  /// Starts it and has it killed at the n-th hit of a failpoint. False: it ended before (see
  /// problems()).
  bool kill_at(std::string_view point, std::uint64_t n,
               const std::vector<std::string>& arguments = {});
  /// Starts it, has one thread held at the n-th hit while the others go on, and kills it when they
  /// have gone on for so long. False: it ended before it got there.
  bool hold_at(std::string_view point, std::uint64_t n, std::chrono::nanoseconds wait);
  /// Starts it and has it killed at a step of the power shim (see power/shim.cpp).
  bool cut_at(std::uint64_t step);
  /// Starts it and kills it after so long.
  bool kill_after(std::chrono::nanoseconds wait);
  /// The same, counted from its first T1: however long this machine takes to start it now.
  bool kill_after_first_t1(std::chrono::nanoseconds wait);
  /// Runs it to its end, which must be exit code 0, and compares all it left behind.
  void finish();
  /// Deletes its state, the files it made and the dump.
  void remove_results() const;
  /// Compares without running.
  void check();

  void problem(std::string what);
  /// All that was wrong: with how its processes ended, and what the checker found.
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }
  /// Only what the checker found in what it left behind.
  [[nodiscard]] const std::vector<std::string>& found_by_checker() const { return found_; }
  /// What it said when it refused to start (exit code 3); empty: it did not.
  [[nodiscard]] const std::string& refusal() const { return refusal_; }

  [[nodiscard]] std::filesystem::path log() const { return folder_ / "log"; }
  [[nodiscard]] std::filesystem::path state() const { return folder_ / "state"; }
  [[nodiscard]] std::filesystem::path out() const { return folder_ / "out"; }
  [[nodiscard]] std::filesystem::path dump() const { return folder_ / "dump"; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  /// What the last process printed.
  [[nodiscard]] std::string said() const { return file_text(folder_ / "output"); }
  [[nodiscard]] hit_counts counts() const { return hit_counts{folder_ / "counts"}; }
  [[nodiscard]] const reference& of() const { return of_; }

  [[nodiscard]] int kills() const { return static_cast<int>(killed_at_.size()); }
  /// Kills between the first T1 of the job and its last.
  [[nodiscard]] int kills_in_the_middle() const;
  /// 50 T1 and 10 T2 or more, and at least one kill.
  [[nodiscard]] bool counts_as_trial() const;

 private:
  std::filesystem::path program_;
  const reference& of_;
  std::filesystem::path folder_;
  std::vector<std::string> environment_;
  bool kill_after(process& p, std::chrono::nanoseconds wait);
  void note_refusal(std::optional<int> status);

  std::chrono::milliseconds snapshot_interval_{20};
  std::chrono::seconds longest_run_{180};
  bool started_ = false;
  std::vector<std::int64_t> killed_at_;
  std::vector<std::string> problems_;
  std::vector<std::string> found_;
  std::string refusal_;
};

/// What differs between a job's remains and the undisturbed run's: nothing when all is well.
[[nodiscard]] std::vector<std::string> differences(const reference& expected, const job& found);
/// The same in one line for people, counted by topic and file ("hourly-delays: 17 missing"),
/// wherever in a topic the records are.
[[nodiscard]] std::string count_differences(const reference& expected, const job& found);
/// Whether one log's public and internal records are what the rules ask for, by themselves.
[[nodiscard]] std::vector<std::string> broken_rules(const reference& expected, const raw_log& log);
/// Where two logs differ in the records (without markers and epoch records) of a partition.
[[nodiscard]] std::vector<std::string> log_differences(const raw_log& expected,
                                                       const raw_log& found);

}  // namespace kappa::crash
