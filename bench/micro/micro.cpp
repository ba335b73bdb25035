#include "micro/micro.hpp"

#include <benchmark/benchmark.h>

namespace bench {

int run_micro(const std::string& program, const std::vector<std::string>& arguments) {
  std::vector<std::string> all{program};
  for (const auto& a : arguments) {
    all.push_back(a.starts_with("--") ? a : "--benchmark_" + a);
  }
  std::vector<char*> argv;
  for (auto& a : all) argv.push_back(a.data());
  auto argc = static_cast<int>(argv.size());
  ::benchmark::Initialize(&argc, argv.data());
  if (::benchmark::ReportUnrecognizedArguments(argc, argv.data())) return 2;
  ::benchmark::RunSpecifiedBenchmarks();
  ::benchmark::Shutdown();
  return 0;
}

}  // namespace bench
