// What `main` needs: one command line for every program, and a run from start to orderly end.
//
//   int main(int argc, char** argv) { return kappa::run(flights_app(), argc, argv); }
//
// A program with options of its own uses a `runner`: it adds them, builds its app after they were
// read, and may act when everything is done.
//
// Exit codes: 0 done or stopped in order (SIGTERM, SIGINT); 1 failed while running; 2 the command
// line or configuration is wrong; 3 start was refused (owner elsewhere, recovery, topics).
//
// Threading: one runner in a process; call from the main thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "kappa/actors/host.hpp"

namespace kappa {

class runner {
 public:
  /// `description`: one line for --help.
  runner(std::string name, std::string description);
  ~runner();
  runner(const runner&) = delete;
  runner& operator=(const runner&) = delete;

  /// Options of the program's own, beside the common ones. The default is what `value` holds.
  void option(const std::string& flag, std::string& value, const std::string& help);
  void option(const std::string& flag, double& value, const std::string& help);
  void flag(const std::string& flag, bool& value, const std::string& help);
  /// Other defaults than the common ones (set before `run`).
  [[nodiscard]] host_options& defaults();

  struct hooks {
    /// After the options were read: errc::bad_config ends the program with 2.
    std::function<result<void>()> check{};
    /// Every task has finished and committed; the host still answers. `anew`: something was
    /// processed in this run.
    std::function<result<void>(host&, bool anew)> finished{};
  };
  [[nodiscard]] int run(int argc, char** argv, const std::function<app()>& make_app,
                        const hooks& h);

 private:
  struct inside;
  std::unique_ptr<inside> in_;
};

[[nodiscard]] int run(const app& a, int argc, char** argv);

}  // namespace kappa
