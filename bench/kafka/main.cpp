// The engine on a real Apache Kafka, as one program: `./dev bench kafka`.
#include <CLI/CLI.hpp>

#include "kafka/benchmarks.hpp"
#include "suite.hpp"

int main(int argc, char** argv) {
  CLI::App cli{"Kappa on Apache Kafka against hand-written loops, measured in turns."};
  bench::suite_options options;
  options.add_to(cli);
  CLI11_PARSE(cli, argc, argv);
  return bench::run_suite({.program = "kappa_bench_kafka",
                           .room_bytes = std::uint64_t{10} << 30,
                           .all = bench::kafka::rate_benchmarks()},
                          options);
}
