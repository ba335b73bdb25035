// How costs move with the number of keys and partitions; the first query of a large state; what a
// host adds.
//
// One core for all threads. "partitions", "host" and the queries run under a host, as a user's
// program does; the rest on the benchmark's own thread (job.hpp). Rates of a host count from the
// end of `start` to the last commit.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "apps.hpp"
#include "bench.hpp"
#include "events.hpp"
#include "job.hpp"
#include "kappa/actors/host.hpp"
#include "measure.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;

kappa::host_options options_for(std::shared_ptr<kappa::event_log> log,
                                const std::filesystem::path& state, std::int32_t partitions) {
  kappa::host_options o;
  o.shared_log = std::move(log);
  o.state = state;
  o.partitions = partitions;
  o.worker_threads = 1;
  o.retention_interval = 0ms;
  return o;
}

/// Processes what is there under a host, and stops it in an orderly way.
spent run_host(const std::shared_ptr<kappa::event_log>& log, const std::filesystem::path& state,
               const kappa::app& a, std::int32_t partitions) {
  auto o = options_for(log, state, partitions);
  o.until_end = true;
  kappa::host h{a, std::move(o)};
  must(h.start());
  const auto s = timed(
      [&] {
        if (!must(h.wait_finished(120s))) throw std::runtime_error{"the host did not finish"};
      },
      whose::process);
  must(h.stop());
  return s;
}

void host_against_thread(context& ctx) {
  const auto n = ctx.size(4'000'000);
  const auto log = open_log(ctx.folder / "log");
  make_topic(*log, "events", 1, event_maker{accesses(distribution::uniform, 100'000, 1 << 20)}, n);
  const auto app_of = [](const std::string& kind, int round) {
    return count_app(fmt::format("{}-{}", kind, round), "events", "");
  };
  const auto c = compare(
      ctx.rounds(5),
      [&](int round) {
        return run_host(log, ctx.folder / "host" / std::to_string(round), app_of("host", round), 1);
      },
      [&](int round) {
        job j{log, ctx.folder / "thread" / std::to_string(round), app_of("thread", round)};
        return timed([&] { j.run(); });
      });
  const auto rate = [&](const spread& s) { return double(n) / s.median / 1e6; };
  ctx.out.add({"host", "count per key under a host, of the same on one thread", aim_kind::none, 0,
               c.percent.median, c.percent.least, c.percent.most, "%",
               fmt::format("{:.3g} M/s of {:.3g} M/s", rate(c.engine_s), rate(c.ceiling_s)),
               c.percent_by_cpu.median});
}

void partitions(context& ctx) {
  const auto n = ctx.size(2'000'000);
  double of_one = 0;
  for (const std::int32_t p : {1, 4, 16, 64}) {
    const auto folder = ctx.folder / fmt::format("{}", p);
    const auto log = open_log(folder / "log");
    make_topic(*log, "events", p, event_maker{accesses(distribution::uniform, 100'000, 1 << 20)},
               n);
    std::vector<double> ns;
    for (int round = 0; round < ctx.rounds(5); ++round) {
      const auto a = count_app(fmt::format("count-{}", round), "events", "");
      ns.push_back(1e9 * run_host(log, folder / "state", a, p).wall_s / double(n));
    }
    const auto s = spread_of(ns);
    if (p == 1) of_one = s.median;
    ctx.out.add({"partitions", fmt::format("count per key, {} partitions", p), aim_kind::none, 0,
                 s.median, s.least, s.most, "ns/event",
                 fmt::format("{:.2f} × the cost of one", s.median / of_one)});
  }
}

/// Lets the system forget the file's pages, as after a reboot.
void forget_pages(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw std::runtime_error{"cannot open " + file.string()};
  ::fdatasync(fd);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  ::close(fd);
}

void forget_pages_below(const std::filesystem::path& folder) {
  for (const auto& e : std::filesystem::recursive_directory_iterator{folder}) {
    if (e.path().filename() == "data.mdb") forget_pages(e.path());
  }
}

struct start_times {
  double first_answer_ms = 0;
  double live_ms = 0;
};

/// A new host over log and state: how long until it answers, how long until it is live.
start_times start_and_ask(const std::filesystem::path& folder, const kappa::app& a,
                          std::uint32_t key) {
  start_times out;
  const auto began = std::chrono::steady_clock::now();
  const auto ms = [&] {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began)
        .count();
  };
  kappa::host h{a, options_for(open_log(folder / "log"), folder / "state", 1)};
  must(h.start());
  auto answer = must(h.query<std::int64_t>("count", key));
  out.first_answer_ms = ms();
  while (answer.as_of.stale) answer = must(h.query<std::int64_t>("count", key));
  out.live_ms = ms();
  if (!answer.value) throw std::runtime_error{"the first query found no state"};
  must(h.stop());
  return out;
}

void keys(context& ctx) {
  double of_least = 0;
  for (const std::int64_t full : {100'000, 1'000'000, 10'000'000}) {
    const auto n = static_cast<std::uint32_t>(ctx.size(full));
    const auto folder = ctx.folder / fmt::format("{}", full);
    const auto a = count_app("count", "events", "");
    const auto events = ctx.size(2'000'000);
    {
      const auto log = open_log(folder / "log");
      std::vector<std::uint32_t> each(n);
      for (std::uint32_t i = 0; i < n; ++i) each[i] = i;
      make_topic(*log, "events", 1, event_maker{std::move(each)}, n);
      job j{log, folder / "state", a};
      j.run();
      j.snapshot();
      std::vector<double> ns;
      event_maker random{accesses(distribution::uniform, n, 1 << 22)};
      for (int round = 0; round < ctx.rounds(3); ++round) {
        random.fill(*log, "events", 1, events / 2);
        ns.push_back(1e9 * timed([&] { j.run(); }).wall_s / double(events / 2));
      }
      const auto s = spread_of(ns);
      if (full == 100'000) of_least = s.median;
      ctx.out.add({"keys",
                   fmt::format("count per key, 10^{} keys", full == 100'000     ? 5
                                                            : full == 1'000'000 ? 6
                                                                                : 7),
                   aim_kind::none, 0, s.median, s.least, s.most, "ns/event",
                   fmt::format("{:.2f} × the cost with 10^5", s.median / of_least)});
      j.snapshot();
    }
    if (full != 10'000'000) {
      std::filesystem::remove_all(folder);
      continue;
    }
    // Orderly stops of this process, then a kill.
    std::vector<double> warm;
    std::vector<double> cold;
    for (int round = 0; round < ctx.rounds(5); ++round) {
      warm.push_back(start_and_ask(folder, a, n / 2).first_answer_ms);
      forget_pages_below(folder);
      cold.push_back(start_and_ask(folder, a, n / 3).first_answer_ms);
    }
    const auto w = spread_of(warm);
    const auto c = spread_of(cold);
    ctx.out.add({"first-query", "after an orderly stop, 10 M keys", aim_kind::at_most, 100,
                 w.median, w.least, w.most, "ms", "files in the page cache"});
    ctx.out.add({"first-query", "the same, files not in the page cache", aim_kind::at_most, 100,
                 c.median, c.least, c.most, "ms", "pages dropped before each start"});
    const auto tail = ctx.size(1'000'000);
    {
      const auto log = open_log(folder / "log");
      job j{log,
            folder / "state",
            a,
            {.snapshot_interval = kappa::milliseconds{3'600'000},
             .max_dirty_bytes = std::size_t{1} << 30}};
      event_maker random{accesses(distribution::uniform, n, 1 << 22)};
      random.fill(*log, "events", 1, tail);
      j.run();
      j.drop();  // T1 of all of it, T2 of none: what a kill just before a snapshot leaves
    }
    const auto s = start_and_ask(folder, a, n / 2);
    ctx.out.add({"first-query", "after a kill, 10 M keys: a first (stale) answer", aim_kind::none,
                 0, s.first_answer_ms, s.first_answer_ms, s.first_answer_ms, "ms", ""});
    ctx.out.add({"first-query", "after a kill: until the tail is replayed", aim_kind::none, 0,
                 s.live_ms, s.live_ms, s.live_ms, "ms",
                 fmt::format("a tail of {} events: {:.3g} M/s", tail,
                             double(tail) / (s.live_ms - s.first_answer_ms) / 1e3)});
  }
}

}  // namespace

std::vector<benchmark> size_benchmarks() {
  return {{"host", host_against_thread}, {"partitions", partitions}, {"keys", keys}};
}

}  // namespace bench
