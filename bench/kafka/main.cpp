// The engine on a real Apache Kafka, as one program: `./dev bench kafka`.
#include <CLI/CLI.hpp>

#include "kafka/benchmarks.hpp"
#include "kafka/worker.hpp"
#include "suite.hpp"

namespace {

std::vector<bench::benchmark> all_benchmarks() {
  std::vector<bench::benchmark> all;
  for (auto part : {bench::kafka::rate_benchmarks(), bench::kafka::latency_benchmarks(),
                    bench::kafka::placement_benchmarks(), bench::kafka::command_benchmarks()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli{"Kappa on Apache Kafka: against hand-written loops, and what users notice."};
  bench::suite_options options;
  options.add_to(cli);
  bench::kafka::worker_options of_worker;
  auto* const worker = cli.add_subcommand("worker", "")->group("");  // not for people
  of_worker.add_to(*worker);
  CLI11_PARSE(cli, argc, argv);
  if (worker->parsed()) {
    try {
      return bench::kafka::run_worker(of_worker);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "kappa_bench_kafka: a worker: error: %s\n", e.what());
      return 1;
    }
  }
  return bench::run_suite({.program = "kappa_bench_kafka",
                           .room_bytes = std::uint64_t{10} << 30,
                           .all = all_benchmarks()},
                          options);
}
