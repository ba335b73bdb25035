// The job as a process: started, killed or waited for, with what the failpoints counted in it.
//
// Threading: one thread. Errors: throws std::runtime_error when a process cannot be started.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kappa/core/failpoint.hpp"

namespace kappa::crash {

/// CLOCK_MONOTONIC, as the failpoints take it.
[[nodiscard]] std::int64_t now_ns();

/// A process that runs; killed and waited for when it goes out of scope.
class process {
 public:
  /// What it prints goes to `output`. `environment`: "NAME=value", added to this process's own.
  process(const std::vector<std::string>& command, const std::vector<std::string>& environment,
          const std::filesystem::path& output);
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  ~process();

  /// Waits for its end at most so long: the exit code, or minus the signal that killed it.
  [[nodiscard]] std::optional<int> wait(std::chrono::milliseconds most);
  /// Waits until a signal has stopped it (SIGSTOP); false: it ended.
  [[nodiscard]] bool wait_stopped();
  void signal(int number) const;
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int fd_ = -1;
  std::optional<int> status_;
};

/// Runs a program to its end.
[[nodiscard]] int run_to_end(const std::vector<std::string>& command,
                             const std::filesystem::path& output);

/// What was counted in all processes that were given the file.
class hit_counts {
 public:
  hit_counts() = default;
  explicit hit_counts(const std::filesystem::path& file);
  [[nodiscard]] failpoint::hit_count of(std::string_view name) const;
  [[nodiscard]] std::uint64_t t1() const { return of("log.after_commit").hits; }
  [[nodiscard]] std::uint64_t t2() const { return of("state.after_commit").hits; }

 private:
  std::vector<failpoint::hit_count> all_;
};

[[nodiscard]] std::string file_text(const std::filesystem::path& file);

}  // namespace kappa::crash
