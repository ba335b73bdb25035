// What keyed state costs: an edit of a cached key, a freeze, a T2, a timer.

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <unistd.h>
#include <boost/unordered/unordered_flat_map.hpp>

#include "events.hpp"
#include "kappa/state/keyed_table.hpp"
#include "kappa/state/state_store.hpp"
#include "kappa/state/timer_table.hpp"

namespace {

struct sums {
  std::int64_t count = 0;
  std::int64_t total = 0;
  std::int64_t largest = 0;
};

}  // namespace

template <>
struct kappa::codec<sums> {
  static void encode(const sums& v, bytes& out) {
    byte_writer{out}.put(v.count).put(v.total).put(v.largest);
  }
  static result<sums> decode(bytes_view in) {
    byte_reader r{in};
    sums v;
    v.count = r.get<std::int64_t>();
    v.total = r.get<std::int64_t>();
    v.largest = r.get<std::int64_t>();
    if (!r.done()) return fail(errc::decode, "sums", "size");
    return v;
  }
  static schema_info schema() { return {"sums", 0, 1, "sums", nullptr}; }
};

namespace {

using namespace kappa;

constexpr std::size_t keys = 100'000;
constexpr std::size_t edits_per_epoch = 100'000;  // a commit interval at a million records a second

struct state {
  std::filesystem::path folder;
  std::unique_ptr<state_store> store;
  explicit state(int number) {
    folder = std::filesystem::temp_directory_path() /
             ("kappa-bench-" + std::to_string(::getpid()) + "-" + std::to_string(number));
    std::filesystem::remove_all(folder);
    state_store_options o;
    o.folder = folder;
    o.identity = {"bench", "counts", generation{1}, partition{0}, "log", 1};
    o.tables = {{"counts", codec<sums>::schema()}, {"timers", codec<std::string>::schema()}};
    store = std::move(*state_store::open(o));
  }
  ~state() {
    store.reset();
    std::filesystem::remove_all(folder);
  }
  void commit(std::uint64_t epoch, frozen_delta counts, frozen_delta timers) const {
    state_delta d;
    d.epoch = epoch_number{epoch};
    d.snapshot = "snapshot";
    d.tables = {std::move(counts), std::move(timers)};
    if (!store->commit(d)) std::abort();
  }
};

std::string key_of(std::size_t i) { return "customer-" + std::to_string(1'000'000 + i); }

/// Which key each record has.
std::vector<std::uint32_t> accesses(bool zipf) {
  constexpr std::size_t n = 1 << 20;
  return bench::accesses(zipf ? bench::distribution::zipf : bench::distribution::uniform, keys, n);
}

template <class V, class F>
void edit_keys(benchmark::State& run, F&& change) {
  const state disk{1};
  keyed_table<V> table{*disk.store, 0, {.cache_bytes = std::size_t{1} << 30}};
  // The keys one after another in memory, as a batch of records has them.
  const auto order = accesses(run.range(0) != 0);
  const auto key_bytes = key_of(0).size();
  std::string records;
  for (const auto i : order) records += key_of(i);
  std::uint64_t epoch = 1;
  for (std::size_t i = 0; i < keys; ++i) {
    table.begin_step(epoch_number{epoch});
    change(**table.edit(key_of(i * 7919 % keys)));
    table.commit_step();
  }
  std::size_t i = 0;
  for (auto _ : run) {
    table.begin_step(epoch_number{epoch});
    const auto at = (i & (order.size() - 1)) * key_bytes;
    change(**table.edit(bytes_view{records.data() + at, key_bytes}));
    table.commit_step();
    if (++i % edits_per_epoch == 0) {
      table.durable(epoch_number{epoch - 1});  // one T1 in flight
      ++epoch;
    }
  }
  run.SetLabel(run.range(0) != 0 ? "zipf" : "uniform");
  run.SetItemsProcessed(run.iterations());
}

void edit_numbers(benchmark::State& run) {
  edit_keys<sums>(run, [](sums& s) {
    ++s.count;
    s.total += 17;
  });
}
BENCHMARK(edit_numbers)->Arg(0)->Arg(1);

void edit_text(benchmark::State& run) {
  edit_keys<std::string>(run, [](std::string& s) {
    if (s.empty()) s.assign(100, 'x');
    ++s[7];
  });
}
BENCHMARK(edit_text)->Arg(0)->Arg(1);

void freeze(benchmark::State& run) {
  const state disk{2};
  keyed_table<sums> table{*disk.store, 0, {.cache_bytes = std::size_t{1} << 30}};
  std::uint64_t epoch = 1;
  for (auto _ : run) {
    run.PauseTiming();
    for (std::size_t i = 0; i < keys; ++i) {
      table.begin_step(epoch_number{epoch});
      ++(*table.edit(key_of(i * 7919 % keys)))->count;
      table.commit_step();
    }
    table.durable(epoch_number{epoch++});
    run.ResumeTiming();
    benchmark::DoNotOptimize(table.freeze());
    run.PauseTiming();
    table.thaw();
    run.ResumeTiming();
  }
  run.SetItemsProcessed(run.iterations() * static_cast<std::int64_t>(keys));
}
BENCHMARK(freeze)->Unit(benchmark::kMillisecond)->Iterations(10);

/// A key that is not cached: state ten times the cache.
void load(benchmark::State& run) {
  const state disk{5};
  auto d = std::make_shared<table_delta>();
  constexpr std::size_t size = 1'000'000;
  for (std::size_t i = 0; i < size; ++i) d->add(key_of(i), encoded(sums{1, 2, 3}));
  disk.commit(1, d, nullptr);
  d.reset();
  keyed_table<sums> table{*disk.store, 0, {.cache_bytes = std::size_t{15} << 20}};
  std::mt19937_64 random{1};
  for (auto _ : run) benchmark::DoNotOptimize(table.find(key_of(random() % size)));
}
BENCHMARK(load);

/// What the same edits cost in a bare map: the floor.
void edit_bare_map(benchmark::State& run) {
  boost::unordered_flat_map<std::string, sums> table;
  const auto order = accesses(run.range(0) != 0);
  const auto key_bytes = key_of(0).size();
  std::string records;
  for (const auto i : order) records += key_of(i);
  for (std::size_t i = 0; i < keys; ++i) ++table[key_of(i * 7919 % keys)].count;
  std::size_t i = 0;
  std::string key;
  for (auto _ : run) {
    key.assign(records, (i++ & (order.size() - 1)) * key_bytes, key_bytes);
    auto& s = table[key];
    ++s.count;
    s.total += 17;
  }
  run.SetLabel(run.range(0) != 0 ? "zipf" : "uniform");
}
BENCHMARK(edit_bare_map)->Arg(0)->Arg(1);

/// A T2 of `range(0)` thousandths of a million keys.
void snapshot(benchmark::State& run) {
  constexpr std::size_t size = 1'000'000;
  const state disk{3};
  const auto value = encoded(sums{1, 2, 3});
  const auto every = 1000 / static_cast<std::size_t>(run.range(0));
  const auto delta = [&](std::size_t step, std::size_t from) {
    auto d = std::make_shared<table_delta>();
    for (std::size_t i = from; i < size; i += step) d->add(key_of(i), value);
    return d;
  };
  std::uint64_t epoch = 1;
  disk.commit(epoch, delta(1, 0), nullptr);
  std::int64_t written = 0;
  for (auto _ : run) {
    run.PauseTiming();
    const auto d = delta(every, epoch % every);
    run.ResumeTiming();
    disk.commit(++epoch, d, nullptr);
    written += static_cast<std::int64_t>(d->size());
  }
  run.SetItemsProcessed(written);
  run.counters["file_MB"] = double(disk.store->stats()->file_bytes) / 1e6;
}
BENCHMARK(snapshot)
    ->Arg(1)
    ->Arg(10)
    ->Arg(50)
    ->Arg(100)
    ->Arg(200)
    ->Arg(500)
    ->Arg(1000)
    ->Unit(benchmark::kMillisecond)
    ->Iterations(5);

/// Adds and fires timers, each in a step, with a snapshot at 16 MB of changes.
void timers(benchmark::State& run) {
  const state disk{4};
  auto table = timer_table::create(*disk.store, 1);
  std::uint64_t epoch = 1;
  std::int64_t next = 0;
  const auto add = [&] {
    table->begin_step(epoch_number{epoch});
    table->add(
        {timestamp{milliseconds{next + 100'000}}, 0, key_of(static_cast<std::size_t>(next))});
    table->commit_step();
    ++next;
  };
  const auto snapshot_when_large = [&] {
    if (table->dirty_bytes() < (std::size_t{16} << 20)) return;
    disk.commit(++epoch, nullptr, table->freeze());
    table->thaw();
  };
  for (int i = 0; i < 100'000; ++i) add();
  for (auto _ : run) {
    add();
    const auto due = *table->first_due(timestamp{milliseconds{next}});
    if (due) {
      table->begin_step(epoch_number{epoch});
      table->remove(*due);
      table->commit_step();
    }
    snapshot_when_large();
  }
  run.SetItemsProcessed(run.iterations());
}
BENCHMARK(timers)->Iterations(1'000'000);

}  // namespace
