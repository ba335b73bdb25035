// Filter, log-to-log pass-through, count per key: each against its hand-written loop.
//
// Both sides read the same frames (the loop a copy of the log's file, raw_log.hpp), from the page
// cache, on one core, and write the same records, headers included, which is checked. What each
// loop does:
//  - filter: verifies each frame, reads each record's header, looks at the one number that decides.
//    It writes nothing and commits nothing; the engine's side commits the records that pass.
//  - pass-through: copies each record (value, key, time) and the headers that a public record
//    carries to frames of another database; commits with the position, durably, each 8 MiB or 100
//    ms, as the engine does.
//  - count: a flat hash map from the record's key, bytes as in the log (counts.hpp); commits the
//    position, durably, each 100 ms. With one update per record it writes each new count too. A row
//    without an aim compares with a loop that knows more: that the key is a number, of 32 bits.
// The loops keep no undo, no old values for queries and no snapshot (none is due in the engine's
// run either: it is shorter than the interval).
#include <filesystem>

#include <fmt/format.h>
#include <boost/unordered/unordered_flat_map.hpp>

#include "apps.hpp"
#include "bench.hpp"
#include "counts.hpp"
#include "events.hpp"
#include "job.hpp"
#include "kappa/log/envelope.hpp"
#include "measure.hpp"
#include "raw_log.hpp"

namespace bench {
namespace {

constexpr std::uint32_t keys = 100'000;
const kappa::topic_partition input{"events", kappa::partition{0}};

/// A log with one topic, "events", and a copy of it for the loop.
struct two_logs {
  std::filesystem::path folder;
  std::int64_t events;
  std::shared_ptr<kappa::event_log> log;
  std::unique_ptr<raw_log> raw;

  two_logs(const context& c, distribution d, std::int64_t n) : folder{c.folder}, events{n} {
    make_topic(*open_log(folder / "log"), "events", 1, event_maker{accesses(d, keys, 1 << 20)}, n);
    std::filesystem::create_directories(folder / "raw");
    std::filesystem::copy_file(folder / "log" / "data.mdb", folder / "raw" / "data.mdb");
    log = open_log(folder / "log");
    raw = std::make_unique<raw_log>(folder / "raw", "events");
  }

  /// Runs an app over all events: made for each round, with outputs and state of its own.
  spent run(const kappa::app& a) const {
    spent s;
    {
      job j{log, folder / "state", a};
      s = timed([&] { j.run(); });
    }
    std::filesystem::remove_all(folder / "state");
    return s;
  }
};

std::string figures(std::int64_t n, const comparison& c) {
  const auto rate = [&](const spread& s) { return double(n) / s.median / 1e6; };
  return fmt::format("{:.3g} M/s of {:.3g} M/s", rate(c.engine_s), rate(c.ceiling_s));
}

void add(context& ctx, const std::string& benchmark, const std::string& what, aim_kind kind,
         std::int64_t n, const comparison& c) {
  const double aim = benchmark == "filter" ? 50 : 60;
  ctx.out.add({benchmark, what, kind, aim, c.percent.median, c.percent.least, c.percent.most, "%",
               figures(n, c), c.percent_by_cpu.median});
}

std::string name(const std::string& what, int round) { return fmt::format("{}-{}", what, round); }

/// The first records that both sides wrote are the same ones.
void check_same(const two_logs& logs, const std::string& topic, const std::string& database) {
  constexpr std::size_t n = 1000;
  auto reader = must(logs.log->open_reader({topic, kappa::partition{0}}));
  const auto batch = must(reader->read(kappa::offset{0}, 1 << 20));
  kappa::record_batch again;
  for (const auto& r : batch.records()) {
    if (again.count() < n) again.add(r.time, r.key, r.value, r.headers.raw());
  }
  std::string wire;
  again.for_each([&](const kappa::record_view& r) {
    kappa::record_batch one;
    one.add(r.time, r.key, r.value, r.headers.raw());
    wire += one.body().substr(sizeof(wire_record_head));
  });
  const auto theirs = logs.raw->written(database, again.count());
  if (wire != theirs)
    throw std::runtime_error{topic + ": the loop does not write the same records"};
}

const event* event_of(const raw_record& r) { return reinterpret_cast<const event*>(r.value); }

void filter(context& ctx) {
  const two_logs logs{ctx, distribution::uniform, ctx.size(4'000'000)};
  volatile std::int64_t sink = 0;
  const auto engine = [&](int round) {
    return logs.run(filter_app(name("filter", round), "events", name("large", round)));
  };
  const auto loop = [&](int) {
    return timed([&] {
      std::int64_t sum = 0;
      logs.raw->scan([&](const raw_record& r) {
        if (is_large(*event_of(r))) sum += r.offset + r.head.time_ms;
      });
      sink = sum;
    });
  };
  (void)loop(0);
  add(ctx, "filter", "passes 1 %, of a scan", aim_kind::at_least, logs.events,
      compare(ctx.rounds(7), engine, loop));
}

void pass_through(context& ctx) {
  const two_logs logs{ctx, distribution::uniform, ctx.size(1'000'000)};
  const auto engine = [&](int round) {
    return logs.run(pass_app(name("pass", round), "events", name("out", round)));
  };
  const auto loop = [&](int round) {
    kappa::repeated_envelope headers{kappa::reference_to(kappa::codec<event>::schema())};
    return timed([&] {
      logs.raw->transform(name("out", round), [&](const raw_record& r, raw_output& out) {
        out.add(r.head.time_ms, r.key(), {r.value, static_cast<std::size_t>(r.head.value_size)},
                headers.of(input, kappa::offset{r.offset}));
      });
    });
  };
  const auto c = compare(ctx.rounds(7), engine, loop);
  check_same(logs, "out-0", "out-0");
  add(ctx, "pass-through", "log to log, durable", aim_kind::at_least, logs.events, c);
}

void count(context& ctx, distribution d) {
  const two_logs logs{ctx, d, ctx.size(4'000'000)};
  volatile std::size_t sink = 0;
  const auto engine_as = [&](const std::string& kind) {
    return [&, kind](int round) { return logs.run(count_app(name(kind, round), "events", "")); };
  };
  const auto loop = [&](int round) {
    return timed([&] {
      counts_by_key counts;
      logs.raw->transform(name("by-key", round),
                          [&](const raw_record& r, raw_output&) { count_one(counts, r.key()); });
      sink = counts.size();
    });
  };
  const auto loop_with_numbers = [&](int round) {
    return timed([&] {
      boost::unordered_flat_map<std::uint32_t, std::int64_t> counts;
      logs.raw->transform(name("by-number", round), [&](const raw_record& r, raw_output&) {
        ++counts[event_of(r)->customer];
      });
      sink = counts.size();
    });
  };
  add(ctx, "count", fmt::format("per key, no output, {}", name_of(d)), aim_kind::at_least,
      logs.events, compare(ctx.rounds(7), engine_as("count"), loop));
  add(ctx, "count", fmt::format("the same, of a loop that counts numbers, {}", name_of(d)),
      aim_kind::none, logs.events, compare(ctx.rounds(3), engine_as("again"), loop_with_numbers));
}

void count_with_updates(context& ctx, distribution d) {
  const two_logs logs{ctx, d, ctx.size(1'000'000)};
  const auto engine = [&](int round) {
    return logs.run(count_app(name("count", round), "events", name("out", round)));
  };
  const auto loop = [&](int round) {
    kappa::repeated_envelope headers{kappa::reference_to(kappa::codec<std::int64_t>::schema())};
    return timed([&] {
      counts_by_key counts;
      kappa::bytes value;
      logs.raw->transform(name("out", round), [&](const raw_record& r, raw_output& out) {
        value.clear();
        kappa::append_ordered(value, count_one(counts, r.key()));
        out.add(r.head.time_ms, r.key(), value, headers.of(input, kappa::offset{r.offset}));
      });
    });
  };
  const auto c = compare(ctx.rounds(7), engine, loop);
  check_same(logs, "out-0", "out-0");
  add(ctx, "count-with-updates", fmt::format("per key, one update per record, {}", name_of(d)),
      aim_kind::at_least, logs.events, c);
}

}  // namespace

std::vector<benchmark> stream_benchmarks() {
  std::vector<benchmark> all{{"filter", filter}, {"pass-through", pass_through}};
  for (const auto d : {distribution::uniform, distribution::zipf}) {
    all.push_back({"count", [d](context& c) { count(c, d); }});
    all.push_back({"count-with-updates", [d](context& c) { count_with_updates(c, d); }});
  }
  return all;
}

}  // namespace bench
