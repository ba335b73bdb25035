// What a snapshot (T2) costs, and how fast state is replayed from the log.
//
//  - snapshot: 100 k changed keys of 100 k (all of them: the worst case of an interval), frozen and
//    committed to LMDB; against a loop that puts the same keys and values, sorted beforehand, into
//    a database of the same content, in one transaction. The engine's time holds the encoding, the
//    sorting, checksums, positions and clocks.
//  - recovery: the state folder is gone, all events are applied again, muted; from opening to being
//    live. Against the loop that counts them (no commits on either side; the loop of "count").
#include <filesystem>

#include <fmt/format.h>

#include "apps.hpp"
#include "bench.hpp"
#include "counts.hpp"
#include "events.hpp"
#include "job.hpp"
#include "measure.hpp"
#include "raw_log.hpp"

namespace bench {
namespace {

constexpr std::uint32_t keys = 100'000;

std::vector<std::uint32_t> each_once(std::uint32_t n) {
  std::vector<std::uint32_t> all(n);
  for (std::uint32_t i = 0; i < n; ++i) {
    // 2654435761 is prime, so all numbers come, in no order.
    all[i] = static_cast<std::uint32_t>(std::uint64_t{i} * 2654435761U % n);
  }
  return all;
}

void snapshot(context& ctx) {
  const auto n = static_cast<std::uint32_t>(ctx.size(keys));
  const auto log = open_log(ctx.folder / "log");
  must(log->create_topic({.name = "events"}));
  event_maker maker{each_once(n)};
  job j{log, ctx.folder / "state", count_app("count", "events", "")};
  const auto change_all = [&] {
    maker.fill(*log, "events", 1, n);
    j.run();
  };
  const auto engine = [&](int) {
    change_all();
    return timed([&] { j.snapshot(); });
  };

  std::vector<std::pair<kappa::bytes, kappa::bytes>> entries(n);
  for (std::uint32_t i = 0; i < n; ++i) {
    kappa::append_ordered(entries[i].first, std::int64_t{i});
    entries[i].second.assign(16, 'x');  // a checksum and a count
  }
  kappa::lmdb::environment_options o;
  o.folder = ctx.folder / "raw";
  const auto env = must(kappa::lmdb::environment::open(o));
  const auto db = must(env->open_dbi("counts"));
  const auto loop = [&](int) {
    return timed([&] {
      must(env->write([&](kappa::lmdb::write_txn& txn) -> kappa::result<void> {
        for (const auto& [key, value] : entries) {
          if (auto put = txn.put(db, key, value); !put) return put;
        }
        return {};
      }));
    });
  };
  (void)engine(0);
  (void)loop(0);
  const auto c = compare(ctx.rounds(9), engine, loop);
  ctx.out.add(
      {"snapshot", "100 k changed keys, of a loop of sorted puts", aim_kind::none, 0,
       c.percent.median, c.percent.least, c.percent.most, "%",
       fmt::format("{:.0f} ms of {:.0f} ms; each 5 s that is {:.1f} % of a core",
                   1e3 * c.engine_s.median, 1e3 * c.ceiling_s.median, 100 * c.engine_s.median / 5),
       c.percent_by_cpu.median});
}

void recovery(context& ctx) {
  const auto n = ctx.size(4'000'000);
  const auto state = ctx.folder / "state";
  const auto a = count_app("count", "events", "");
  make_topic(*open_log(ctx.folder / "log"), "events", 1,
             event_maker{accesses(distribution::uniform, keys, 1 << 20)}, n);
  std::filesystem::create_directories(ctx.folder / "raw");
  std::filesystem::copy_file(ctx.folder / "log" / "data.mdb", ctx.folder / "raw" / "data.mdb");
  const auto log = open_log(ctx.folder / "log");
  raw_log raw{ctx.folder / "raw", "events"};
  job{log, state, a}.run();
  const auto engine = [&](int) {
    std::filesystem::remove_all(state);
    spent s;
    std::uint64_t replayed = 0;
    s = timed([&] {
      job j{log, state, a};
      j.run();
      replayed = j.runner().tasks().front()->progress().replayed;
    });
    if (replayed != static_cast<std::uint64_t>(n))
      throw std::runtime_error{"not all events were replayed"};
    return s;
  };
  volatile std::size_t sink = 0;
  const auto loop = [&](int) {
    return timed([&] {
      counts_by_key counts;
      raw.scan([&](const raw_record& r) { count_one(counts, r.key()); });
      sink = counts.size();
    });
  };
  const auto c = compare(ctx.rounds(5), engine, loop);
  const auto rate = [&](const spread& s) { return double(n) / s.median / 1e6; };
  ctx.out.add({"recovery", "replay from the log, of a loop that counts", aim_kind::none, 0,
               c.percent.median, c.percent.least, c.percent.most, "%",
               fmt::format("{:.3g} M/s of {:.3g} M/s", rate(c.engine_s), rate(c.ceiling_s)),
               c.percent_by_cpu.median});
}

}  // namespace

std::vector<benchmark> state_benchmarks() {
  return {{"snapshot", snapshot}, {"recovery", recovery}};
}

}  // namespace bench
