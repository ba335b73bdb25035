// Another process, started from its program (never by a bare fork), spoken to line by line.
//
// Threading: one thread. Ownership: a process that still runs is killed and waited for.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kappa::testing {

class child_process {
 public:
  /// `environment` is added to this process's own ("NAME=value").
  child_process(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                const std::vector<std::string>& environment = {});
  ~child_process();
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;

  /// The next line of its output; nothing at its end. Blocks.
  [[nodiscard]] std::optional<std::string> line();
  void say(const std::string& line);
  /// Closes its input.
  void end_input();
  void kill(int signal);
  /// Waits for its end: the exit code, or minus the signal that killed it.
  [[nodiscard]] int wait();
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  std::string buffered_;
  std::optional<int> status_;
};

}  // namespace kappa::testing
