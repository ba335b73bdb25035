// The command line of `kappa`: its commands, what they have in common, and how it all ends.
//
// Exit codes: 0 done; 1 failed, damaged, or nothing found; 2 the command line is wrong; 3 the log
// or the state cannot be opened, or the host refused.
//
// Threading: the main thread.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kappa/core/error.hpp"
#include "kappa/log/kafka_settings.hpp"

namespace CLI {
class App;
}

namespace kappa::tools {

inline constexpr int exit_done = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;
inline constexpr int exit_refused = 3;

/// What every command takes.
struct common_options {
  std::string log = "lmdb:data";
  std::filesystem::path state = "state";
  std::string app;  // empty: the one whose topics the log holds
  kappa::kafka_settings kafka_settings;
  bool json = false;
  /// What stands behind "--": a program and its arguments; only `replay` takes one.
  std::vector<std::string> program;
};

/// Says what is wrong on stderr, and gives the code back.
int complain(const error& e, int code);
/// With the code that goes with the error: 2 for what the user typed, 3 for what cannot be opened
/// or is refused, else 1.
int complain(const error& e);

/// For options that count: what is wrong with the value; empty: nothing.
[[nodiscard]] std::string check_count(const std::string& value);

class command_line {
 public:
  command_line();
  ~command_line();
  command_line(const command_line&) = delete;
  command_line& operator=(const command_line&) = delete;

  using run_fn = std::function<int(const common_options&)>;

  /// A command with the common options; its own are added to what is returned. `run` is called
  /// when the line was read; it lives as long as this.
  CLI::App& add(const std::string& name, const std::string& help, run_fn run);
  /// For commands whose options are all their own: they add themselves here, and say how they
  /// ended.
  [[nodiscard]] CLI::App& root();
  [[nodiscard]] int& exit_code();

  [[nodiscard]] int run(int argc, char** argv);

 private:
  struct inside;
  std::unique_ptr<inside> in_;
};

}  // namespace kappa::tools
