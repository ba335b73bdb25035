// Runs seeds in child processes: several at a time, and what ends a process ends no other seed.
//
// Threading: one thread; it forks.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "sim/life.hpp"

namespace kappa::sim {

struct seeds_report {
  std::uint64_t done = 0;
  std::vector<std::uint64_t> failed;
  life_stats sum;
};

struct seeds_options {
  std::vector<std::uint64_t> seeds;
  int processes = 1;
  std::filesystem::path folder;
  /// Findings after which no further seed is begun.
  std::size_t most_findings = 5;
  std::chrono::seconds longest{120};  // for one seed: a hang is a finding
};

/// Prints each finding, with the last steps before it.
[[nodiscard]] seeds_report run_seeds(const seeds_options& options);

/// One seed in this process; `trace`: every step is printed. True: nothing was found.
bool run_seed(std::uint64_t seed, const std::filesystem::path& folder, bool trace,
              life_stats& stats);

}  // namespace kappa::sim
