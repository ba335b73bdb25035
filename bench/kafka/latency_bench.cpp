// From a plain producer, through the engine, to a plain consumer (read_committed): 10,000 events a
// second, a state of 100,000 keys, by commit interval.
//
// All but the broker is one process on one core: producer, host and consumer. So what is measured
// holds the waiting for that core too.
#include <algorithm>

#include <fmt/format.h>

#include "apps.hpp"
#include "kafka/benchmarks.hpp"
#include "kafka/engine.hpp"
#include "kafka/paced_load.hpp"

namespace bench::kafka {
namespace {

using namespace std::chrono_literals;

constexpr std::int32_t partitions = 4;
constexpr int per_second = 10'000;

std::vector<double> latencies_ms(const pinned_broker& broker, const std::filesystem::path& folder,
                                 kappa::milliseconds interval, std::chrono::seconds warm_up,
                                 std::chrono::seconds length) {
  const auto name = fmt::format("every-{}", interval.count());
  const auto log = broker.open_log();
  must(log->create_topic({.name = name, .partitions = partitions}));
  auto options = options_on(broker, folder / name, partitions);
  options.limits.commit_interval = interval;
  kappa::host h{latest_app(name, name, name + "-out"), std::move(options)};
  must(h.start());
  auto consumer = plain_consumer::of_all({{"bootstrap.servers", broker.address()},
                                          {"isolation.level", "read_committed"},
                                          {"fetch.wait.max.ms", "10"}},
                                         name + "-out", partitions, 0);
  const paced_load load{broker.address(), {name, partitions, 100'000, per_second}};
  // The tasks are given to the host in their time.
  const auto patience = std::chrono::steady_clock::now() + 60s;
  for (bool through = false; !through;) {
    load.check();
    consumer.take(100, [&](const rd_kafka_message_t&) { through = true; });
    if (std::chrono::steady_clock::now() > patience)
      throw std::runtime_error{"no event came through"};
  }
  const auto from = std::chrono::steady_clock::now() + warm_up;
  std::vector<double> all;
  for (auto now = from; now < from + length;) {
    load.check();
    consumer.take(100, [&](const rd_kafka_message_t& m) {
      const auto made = stamped(m);
      const std::chrono::duration<double, std::milli> took =
          std::chrono::steady_clock::now() - made;
      if (made >= from) all.push_back(took.count());
    });
    now = std::chrono::steady_clock::now();
  }
  must(h.stop());
  if (all.empty()) throw std::runtime_error{"no event came through in time"};
  std::sort(all.begin(), all.end());
  return all;
}

void latency(context& ctx) {
  const pinned_broker broker;
  for (const auto interval : {100ms, 20ms, 5ms}) {
    const auto all =
        latencies_ms(broker, ctx.folder, interval, ctx.quick ? 2s : 10s, ctx.quick ? 2s : 30s);
    const auto at = [&](double share) {
      return all[static_cast<std::size_t>(share * double(all.size() - 1))];
    };
    ctx.out.add({"latency", fmt::format("p99, a commit each {} ms", interval.count()),
                 aim_kind::none, 0, at(0.99), at(0.99), at(0.99), "ms",
                 fmt::format("p50 {:.1f} ms, p99.9 {:.1f} ms, of {} events at 10 k/s", at(0.5),
                             at(0.999), all.size())});
  }
}

}  // namespace

std::vector<benchmark> latency_benchmarks() { return {{"latency", latency}}; }

}  // namespace bench::kafka
