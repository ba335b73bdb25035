// What `./dev bench kafka` measures.
#pragma once

#include <vector>

#include "bench.hpp"

namespace bench::kafka {

[[nodiscard]] std::vector<benchmark> rate_benchmarks();
[[nodiscard]] std::vector<benchmark> latency_benchmarks();
[[nodiscard]] std::vector<benchmark> placement_benchmarks();
[[nodiscard]] std::vector<benchmark> command_benchmarks();

}  // namespace bench::kafka
