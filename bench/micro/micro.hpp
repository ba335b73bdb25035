// The micro-benchmarks: what single calls of the state and the codecs cost, by Google Benchmark.
#pragma once

#include <string>
#include <vector>

namespace bench {

/// `arguments` are Google Benchmark's, with or without the leading "--benchmark_". Gives the exit
/// code.
[[nodiscard]] int run_micro(const std::string& program, const std::vector<std::string>& arguments);

}  // namespace bench
