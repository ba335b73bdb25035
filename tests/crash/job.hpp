// One flights job in a folder of its own: a trial is such a job from --fresh to done, over all its
// kills.
//
// Threading: one thread.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "crash/process.hpp"
#include "crash/raw_log.hpp"

namespace kappa::crash {

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

  [[nodiscard]] process start(const start_options& options = {}) const;
  /// Runs it to the end of the process: the exit code, or minus the signal. A hang counts as a
  /// problem.
  int run(const start_options& options = {});

  /// Starts it and has it killed at the n-th hit of a failpoint. False: it ended before (see
  /// problems()).
  bool kill_at(std::string_view point, std::uint64_t n);
  /// Starts it, has one thread held at the n-th hit while the others go on, and kills it after so
  /// long.
  bool hold_at(std::string_view point, std::uint64_t n, std::chrono::nanoseconds wait);
  /// Starts it and kills it after so long.
  bool kill_after(std::chrono::nanoseconds wait);
  /// Runs it to its end, which must be exit code 0, and compares all it left behind.
  void finish();
  /// Compares without running.
  void check();

  void problem(std::string what);
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

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
  bool kill_after(const start_options& options, std::chrono::nanoseconds wait);

  bool started_ = false;
  std::vector<std::int64_t> killed_at_;
  std::vector<std::string> problems_;
};

/// What differs between a job's remains and the undisturbed run's: nothing when all is well.
[[nodiscard]] std::vector<std::string> differences(const reference& expected, const job& found);
/// Whether one log's public and internal records are what the rules ask for, by themselves.
[[nodiscard]] std::vector<std::string> broken_rules(const reference& expected, const raw_log& log);
/// Where two logs differ in the records (without markers and epoch records) of a partition.
[[nodiscard]] std::vector<std::string> log_differences(const raw_log& expected,
                                                       const raw_log& found);

}  // namespace kappa::crash
