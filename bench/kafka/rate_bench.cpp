// Read, and count exactly once with an update for each record: the engine under a host against the
// loops of loop.hpp, in turns, one core for the broker and one for the program.
//
// 100,000 keys, 4 partitions, all settings at their defaults. Each round has a group, outputs and a
// state of its own. The time goes from the first record that a side has to its last commit, so
// neither's joining of the group counts.
#include <fmt/format.h>

#include "apps.hpp"
#include "events.hpp"
#include "kafka/benchmarks.hpp"
#include "kafka/engine.hpp"
#include "kafka/loop.hpp"
#include "kafka/pinned_broker.hpp"

namespace bench::kafka {
namespace {

constexpr std::int32_t partitions = 4;
constexpr std::uint32_t keys = 100'000;
const std::string input = "events";

/// A broker with one topic of events.
struct stand {
  std::filesystem::path folder;
  std::int64_t events;
  pinned_broker broker;
  std::shared_ptr<kappa::event_log> log = broker.open_log();

  stand(const context& ctx, std::int64_t full) : folder{ctx.folder}, events{ctx.size(full)} {
    make_topic(*log, input, partitions, event_maker{accesses(distribution::uniform, keys, 1 << 20)},
               events);
  }
  [[nodiscard]] spent engine(const kappa::app& a) const {
    const auto state = folder / a.name();
    const auto s = process_all(a, options_on(broker, state, partitions), events);
    std::filesystem::remove_all(state);
    return s;
  }
  [[nodiscard]] loop_job loop(const std::string& group) const {
    return {broker.address(), input, events, group};
  }
};

void add(context& ctx, const std::string& name, const std::string& what, aim_kind kind,
         std::int64_t events, const comparison& c) {
  const auto rate = [&](const spread& s) { return double(events) / s.median / 1e6; };
  ctx.out.add({name, what, kind, 70, c.percent.median, c.percent.least, c.percent.most, "%",
               fmt::format("{:.3g} M/s of {:.3g} M/s", rate(c.engine_s), rate(c.ceiling_s)),
               c.percent_by_cpu.median});
}

void read(context& ctx) {
  const stand s{ctx, 4'000'000};
  const auto engine = [&](int round) {
    const auto name = fmt::format("read-{}", round);
    return s.engine(filter_app(name, input, name + "-out"));
  };
  const auto loop = [&](int round) { return read_by_hand(s.loop(fmt::format("loop-{}", round))); };
  (void)engine(-1);
  (void)loop(-1);
  add(ctx, "read", "of a loop", aim_kind::at_least, s.events, compare(ctx.rounds(7), engine, loop));
}

void count(context& ctx) {
  const stand s{ctx, 2'000'000};
  const auto engine_as = [&](const std::string& kind) {
    return [&, kind](int round) {
      const auto name = fmt::format("{}-{}", kind, round);
      return s.engine(count_app(name, input, name + "-out"));
    };
  };
  const auto name_of_loop = [](updates form, int round) {
    return fmt::format("loop-{}-{}", int(form), round);
  };
  // Ahead of their use: a new topic is not known to all of the broker at once.
  const int rounds = ctx.rounds(7);
  for (const auto form : {updates::bare, updates::as_the_engines}) {
    for (int round = -1; round < rounds; ++round)
      must(s.log->create_topic(
          {.name = name_of_loop(form, round) + "-out", .partitions = partitions}));
  }
  const auto loop_with = [&](updates form) {
    return [&, form](int round) {
      const auto name = name_of_loop(form, round);
      return count_by_hand(s.loop(name), name + "-out", form);
    };
  };
  const auto engine = engine_as("count");
  const auto bare = loop_with(updates::bare);
  (void)engine(-1);
  (void)bare(-1);
  const auto c = compare(rounds, engine, bare);
  add(ctx, "count", "exactly once, an update for each record, of a loop", aim_kind::at_least,
      s.events, c);
  const auto& cpu = c.percent_by_cpu;
  ctx.out.add({"count", "the same: CPU time of a record, of the loop's", aim_kind::at_most, 1.3,
               100 / cpu.median, 100 / cpu.most, 100 / cpu.least, "×", ""});
  add(ctx, "count", "the same, of a loop that writes the same records", aim_kind::none, s.events,
      compare(rounds, engine_as("again"), loop_with(updates::as_the_engines)));
}

}  // namespace

std::vector<benchmark> rate_benchmarks() { return {{"read", read}, {"count", count}}; }

}  // namespace bench::kafka
