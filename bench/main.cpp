// The benchmarks, as one program: `./dev bench`.
#include <cstdio>

#include <CLI/CLI.hpp>

#include "measure.hpp"
#include "micro/micro.hpp"
#include "suite.hpp"

namespace {

std::vector<bench::benchmark> all_benchmarks() {
  std::vector<bench::benchmark> all;
  // Memory first: what others have freed would hide a growth.
  for (auto part :
       {bench::memory_benchmarks(), bench::append_benchmarks(), bench::stream_benchmarks(),
        bench::state_benchmarks(), bench::size_benchmarks(), bench::command_benchmarks()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli{
      "The engine against hand-written loops: shares of what they reach, measured in turns."};
  bench::suite_options options;
  std::vector<std::string> micro;
  options.add_to(cli);
  cli.add_option("--micro", micro, "The micro-benchmarks instead; arguments go to Google Benchmark")
      ->expected(0, -1);
  CLI11_PARSE(cli, argc, argv);
  if (cli.count("--micro") > 0) {
    try {
      return bench::run_micro(argv[0], micro);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "kappa_bench: error: %s\n", e.what());
      return 1;
    }
  }
  return bench::run_suite({.program = "kappa_bench",
                           .room_bytes = std::uint64_t{10} << 30,
                           .prepare = bench::pin_to_one_core,
                           .all = all_benchmarks()},
                          options);
}
