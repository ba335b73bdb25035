// A program of benchmarks: its options, the folder that they write in, its table.
//
// Threading: the main thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "bench.hpp"

namespace CLI {
class App;
}

namespace bench {

struct suite_options {
  std::string filter;
  bool json = false;
  bool quick = false;
  std::filesystem::path work;  // empty: beside the program

  void add_to(CLI::App& cli);
};

struct suite {
  std::string program;           // for errors
  std::uint64_t room_bytes = 0;  // on the disk; --quick needs little
  /// In the process that measures, before anything else.
  std::function<void()> prepare{};
  std::vector<benchmark> all{};
};

/// Runs those that the filter chooses, in a child process; prints table or JSON to stdout, what
/// comes meanwhile to stderr. Gives the exit code. Call before any thread is started.
[[nodiscard]] int run_suite(const suite& s, suite_options options);

}  // namespace bench
