// How time and memory are measured, and two ways of doing the same compared.
//
// Threading: the calling thread; its CPU time, unless said otherwise. Units: seconds, bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench {

struct spent {
  double wall_s = 0;
  double cpu_s = 0;
};

/// Whose CPU time: of the calling thread, or of all threads of the process.
enum class whose { thread, process };

[[nodiscard]] spent timed(const std::function<void()>& f, whose cpu = whose::thread);

/// The cores that this thread may run on.
[[nodiscard]] std::vector<int> cores();
/// Keeps this thread, and all threads and processes that it will make, to these.
void run_on(const std::vector<int>& cores);
/// To the last one: the first takes most interrupts.
void pin_to_one_core();

struct memory {
  std::uint64_t anonymous = 0;  // RssAnon: the process's own
  std::uint64_t files = 0;      // RssFile: mapped pages, the system takes them back when it wants
};
[[nodiscard]] memory resident();

struct spread {
  double median = 0;
  double least = 0;
  double most = 0;
};
[[nodiscard]] spread spread_of(std::vector<double> values);

/// Both sides of rounds that were run in turns (engine, ceiling, engine, ceiling, …), so that what
/// the machine does meanwhile meets both. The ratio is taken in each round, its median over rounds.
struct comparison {
  spread percent;         // of the ceiling's speed that the engine has, by wall time
  spread percent_by_cpu;  // by CPU time
  spread engine_s;        // wall time
  spread ceiling_s;
};
[[nodiscard]] comparison compare(int rounds, const std::function<spent(int round)>& engine,
                                 const std::function<spent(int round)>& ceiling);

}  // namespace bench
