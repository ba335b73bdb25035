// The snapshot thread writes a T2 while the owner goes on: `./dev check tsan` runs this too.

#include <thread>

#include <boost/test/unit_test.hpp>

#include "state/state_support.hpp"

using namespace kappa;
using namespace kappa::test;

BOOST_AUTO_TEST_SUITE(state_threads)

BOOST_AUTO_TEST_CASE(the_owner_reads_and_changes_while_a_snapshot_is_written) {
  const temporary_folder folder;
  auto options = options_in(folder.path(), true);
  options.map_bytes = 1 << 20;  // grows on the way
  auto store = opened(options);
  keyed_table<sums> counts{*store, 0, {.cache_bytes = 64 << 10}};
  auto timers = timer_table::create(*store, 1);
  constexpr int keys = 2000;
  const auto key = [](int i) { return "key-" + std::to_string(i); };
  std::mt19937 random{7};
  std::uint64_t epoch = 0;
  int steps = 0;
  for (int round = 0; round < 20; ++round) {
    ++epoch;
    const auto work = [&](std::uint64_t open_epoch) {
      for (int i = 0; i < 1000; ++i, ++steps) {
        counts.begin_step(epoch_number{open_epoch});
        timers->begin_step(epoch_number{open_epoch});
        must(counts.edit(key(static_cast<int>(random() % keys))))->count += 1;
        timers->add({timestamp{milliseconds{steps}}, 0, "t"});
        if (const auto due = must(timers->first_due(timestamp{milliseconds{steps - 500}}))) {
          timers->remove(*due);
        }
        counts.commit_step();
        timers->commit_step();
        if (i % 100 == 0) (void)must(counts.read(key(i), read_level::committed));
      }
    };
    work(epoch);
    state_delta delta;
    delta.epoch = epoch_number{epoch};
    delta.snapshot = "snapshot";
    delta.tables = {counts.freeze(), timers->freeze()};
    counts.durable(epoch_number{epoch});
    timers->durable(epoch_number{epoch});
    result<void> written;
    std::thread snapshot_thread{[&] { written = store->commit(delta); }};
    ++epoch;
    work(epoch);
    std::int64_t sum = 0;
    auto ok = counts.scan({}, {}, read_level::latest, [&](bytes_view, bytes_view v) {
      sum += must(codec<sums>::decode(v)).count;
      return true;
    });
    snapshot_thread.join();
    must(std::move(ok));
    must(std::move(written));
    BOOST_REQUIRE(sum == steps);
    counts.thaw();
    timers->thaw();
    counts.durable(epoch_number{epoch});
  }
}

BOOST_AUTO_TEST_SUITE_END()
