// One process of several that run an app together: this program, started again.
//
// Prints a line for each change of a task, "NANOSECONDS PARTITION WORD" by the monotonic clock: the
// words are "replaying", "live" and those of task_health. Ends in order at the end of
// its input.
//
// Threading: the main thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace bench::kafka {

inline constexpr std::string_view live = "live";

struct worker_options {
  std::string log;
  std::filesystem::path state;
  std::string app;
  std::int32_t partitions = 1;
  std::string protocol = "classic";
  std::size_t standbys = 0;  // of each task

  void add_to(CLI::App& cli);
};

/// What the app of that name reads and writes.
[[nodiscard]] std::string input_of(const std::string& app);
[[nodiscard]] std::string output_of(const std::string& app);

/// Gives the exit code.
[[nodiscard]] int run_worker(const worker_options& o);

}  // namespace bench::kafka
