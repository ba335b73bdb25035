#include "kafka/worker.hpp"

#include <poll.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <string_view>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "apps.hpp"
#include "bench.hpp"
#include "kappa/actors/host.hpp"

namespace bench::kafka {
namespace {

using namespace std::chrono_literals;

/// False once the input has ended; waits up to `ms`.
bool input_is_open(int ms) {
  ::pollfd in{0, POLLIN, 0};
  return ::poll(&in, 1, ms) == 0;
}

/// Of a running task: whether it replays or goes on.
std::string_view word_for(const kappa::task_status& t) {
  if (t.health != kappa::task_health::running) return kappa::name_of(t.health);
  return t.progress.phase == kappa::task_phase::replaying ? "replaying" : live;
}

void tell_changes(const kappa::host& h, std::map<kappa::partition, std::string_view>& told) {
  for (const auto& t : h.status()) {
    const auto word = word_for(t);
    if (std::exchange(told[t.id.partition], word) == word) continue;
    fmt::print("{} {} {}\n", std::chrono::steady_clock::now().time_since_epoch().count(),
               t.id.partition.value, word);
    std::fflush(stdout);
  }
}

}  // namespace

std::string input_of(const std::string& app) { return app + "-events"; }
std::string output_of(const std::string& app) { return app + "-latest"; }

void worker_options::add_to(CLI::App& cli) {
  cli.add_option("--log", log)->required();
  cli.add_option("--state", state)->required();
  cli.add_option("--app", app)->required();
  cli.add_option("--partitions", partitions)->required();
  cli.add_option("--protocol", protocol);
  cli.add_option("--standbys", standbys);
}

int run_worker(const worker_options& o) {
  kappa::host_options options;
  options.log = o.log;
  options.kafka_settings["group.protocol"] = o.protocol;
  options.state = o.state;
  options.partitions = o.partitions;
  options.worker_threads = 1;
  options.session_timeout = 6s;
  options.standbys = o.standbys;
  kappa::host h{latest_app(o.app, input_of(o.app), output_of(o.app)), std::move(options)};
  must(h.start());
  constexpr int look_again_ms = 5;
  std::map<kappa::partition, std::string_view> told;
  while (input_is_open(look_again_ms)) {
    tell_changes(h, told);
    if (const auto why = h.failure()) throw std::runtime_error{why->text()};
  }
  must(h.stop());
  return 0;
}

}  // namespace bench::kafka
