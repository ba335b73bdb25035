// Memory over many events: the process's own (RssAnon), not the mapped pages of log and state,
// which the system takes back when it wants.
//
// Events are appended and processed in pieces, retention keeps the log small. What counts is how
// far the memory grew between the first quarter, when all buffers have been met, and its largest
// later.
#include <malloc.h>

#include <algorithm>

#include <fmt/format.h>

#include "apps.hpp"
#include "bench.hpp"
#include "events.hpp"
#include "job.hpp"
#include "measure.hpp"

namespace bench {
namespace {

struct growth {
  double first_quarter_mib = 0;  // at its end
  double largest_later_mib = 0;
  double wall_s = 0;
  std::size_t cache_bytes = 0;
};

growth grow(context& ctx, std::int64_t events, std::uint32_t keys, kappa::task_limits limits) {
  ::malloc_trim(0);
  const auto log = open_log(ctx.folder / "log");
  must(log->create_topic({.name = "events", .retention_bytes = std::uint64_t{64} << 20}));
  event_maker maker{accesses(distribution::uniform, keys, 1 << 22)};
  job j{log, ctx.folder / "state", count_app("count", "events", ""), limits};
  growth g;
  constexpr int pieces = 40;
  for (int i = 0; i < pieces; ++i) {
    maker.fill(*log, "events", 1, events / pieces);
    g.wall_s += timed([&] { j.run(); }).wall_s;
    (void)must(log->apply_retention(kappa::steady_now()));
    const auto now = double(resident().anonymous) / double(1 << 20);
    if (i < pieces / 4) {
      g.first_quarter_mib = now;
    } else {
      g.largest_later_mib = std::max(g.largest_later_mib, now);
    }
  }
  g.cache_bytes = j.runner().tasks().front()->progress().cache_bytes;
  return g;
}

void add(context& ctx, const std::string& what, std::int64_t events, const growth& g) {
  const auto mib = g.largest_later_mib - g.first_quarter_mib;
  ctx.out.add(
      {"memory", what, aim_kind::at_most, 16, mib, mib, mib, "MiB more",
       fmt::format("{:.0f} MiB after a quarter, at most {:.0f} MiB later; {:.3g} M/s",
                   g.first_quarter_mib, g.largest_later_mib, double(events) / g.wall_s / 1e6)});
}

void many_events(context& ctx) {
  const auto n = ctx.size(20'000'000);
  add(ctx, "20 M events, 100 k keys", n, grow(ctx, n, 100'000, {}));
}

void large_state(context& ctx) {
  // A key takes about 150 B in the cache: 1.1 M of them are ten times its 16 MiB.
  const auto n = ctx.size(6'000'000);
  kappa::task_limits limits;
  limits.cache_bytes = 16 << 20;
  limits.max_dirty_bytes = 16 << 20;
  const auto keys = static_cast<std::uint32_t>(ctx.size(1'100'000));
  add(ctx, "6 M events, state 10 × the cache (16 MiB)", n, grow(ctx, n, keys, limits));
}

}  // namespace

std::vector<benchmark> memory_benchmarks() {
  return {{"memory", many_events}, {"memory", large_state}};
}

}  // namespace bench
