// Commands of an aggregate, durable: how many a second, how long each takes, with so many in
// flight.
//
// The engine runs under a host, as a user's program does, with the defaults (4 partitions,
// snapshots, the window of command ids), on all cores; each command has an id of its own. The
// measured window is longer than the interval of the snapshots, and how many ended in it is told.
// The load comes from the same process: whoever is answered asks the next one, in the callback, for
// a key chosen at random. The loop is one thread without actors: it finds the state, decides,
// applies, encodes the event with the same headers, and commits as many as the engine has in flight
// in one transaction of the same log. It has no window of ids, no undo, no snapshots, and nobody
// who waits.
//
// "One in flight" is compared with a commit of one record by the same log's writer; what the disk
// takes of that is measured beside it, on a bare file.
//
// A recovery ends when every task has answered and every entity was read; what the stop afterwards
// costs (a commit, and a snapshot of all that was replayed) is told apart.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>
#include <unordered_map>

#include <fmt/format.h>

#include "bench.hpp"
#include "commands.hpp"
#include "job.hpp"
#include "kappa/aggregate/event_header.hpp"
#include "kappa/aggregate/remembered.hpp"
#include "kappa/log/envelope.hpp"
#include "measure.hpp"

namespace bench {
namespace {

kappa::host_options options_in(const std::filesystem::path& folder) {
  kappa::host_options o;
  o.log = "lmdb:" + (folder / "log").string();
  o.state = folder / "state";
  return o;
}

/// A log with one topic, and who writes to it.
struct written_log {
  explicit written_log(const std::filesystem::path& folder) : log{open_log(folder)} {
    kappa::topic_config events;
    events.name = where.topic;
    events.owner = "loop";
    must(log->create_topic(events));
    writer = must(log->open_writer({"loop", "loop"}));
  }
  void commit(std::shared_ptr<const kappa::record_batch> batch) const {
    must(writer->commit({{{where, std::move(batch)}}, {}}));
  }

  kappa::topic_partition where{"purses", kappa::partition{0}};
  std::shared_ptr<kappa::event_log> log;
  std::unique_ptr<kappa::log_writer> writer;
};

/// The same by hand.
class hand_loop {
 public:
  hand_loop(const std::filesystem::path& folder, std::uint32_t keys) : log_{folder} {
    for (std::uint32_t i = 0; i < keys; ++i) names_.push_back(key_name(i));
    kappa::envelope e;
    e.schema = kappa::reference_to(kappa::codec<was_put>::schema());
    kappa::encode_envelope(schema_, e);
  }

  /// Commands a second, of so many.
  double run(std::uint64_t commands, std::size_t in_flight) {
    const auto s = timed([&] {
      for (std::uint64_t left = commands; left > 0;) {
        const auto now = kappa::system_now();
        auto batch = std::make_shared<kappa::record_batch>();
        for (std::size_t i = 0; i < in_flight && left > 0; ++i, --left) add_next(now, *batch);
        log_.commit(std::move(batch));
      }
    });
    return double(commands) / s.wall_s;
  }

 private:
  struct entry {
    std::uint64_t version = 0;
    purse state;
  };

  void add_next(kappa::timestamp now, kappa::record_batch& batch) {
    const auto n = next_++;
    const auto& key = names_[(n * 0x9e3779b97f4a7c15ULL >> 32) % names_.size()];
    const auto body = kappa::encoded(put{1});  // the asker's work
    auto& at = states_[key];
    const auto command = must(kappa::codec<put>::decode(body));
    const auto decided = at.state.decide(command);
    const auto& event = std::get<was_put>(decided.events().front());
    at.state.apply(event);
    value_.clear();
    kappa::codec<was_put>::encode(event, value_);
    headers_ = schema_;
    const auto place = kappa::encode_event_header({++at.version, 0, 1});
    kappa::encode_command_header({now, 0, id_name(n, 0), {}}, own_);
    const kappa::header_view more[] = {{kappa::event_header_name, place},
                                       {kappa::command_header_name, own_}};
    kappa::encode_headers(headers_, more);
    batch.add(now, key, value_, headers_);
  }

  const written_log log_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, entry> states_;
  std::uint64_t next_ = 0;
  kappa::bytes schema_;
  kappa::bytes value_;
  kappa::bytes headers_;
  kappa::bytes own_;
};

/// Microseconds of each of `times` calls: the median.
double median_us(int times, const std::function<void()>& f) {
  std::vector<double> took;
  for (int i = 0; i < times; ++i) took.push_back(1e6 * timed(f).wall_s);
  return spread_of(took).median;
}

double one_record_us(const std::filesystem::path& folder, int times) {
  const written_log log{folder};
  auto batch = std::make_shared<kappa::record_batch>();
  batch->add(kappa::system_now(), "purse-000000", kappa::encoded(was_put{1}));
  return median_us(times, [&] { log.commit(batch); });
}

/// Of the disk alone: 4 KiB written over others of a file of 4 MiB, and synced.
double bare_sync_us(const std::filesystem::path& path, int times) {
  constexpr std::size_t page = 4 << 10;
  constexpr std::size_t pages = 1024;
  const std::string some(page, 'x');
  const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) throw std::system_error{errno, std::generic_category(), path.string()};
  const std::unique_ptr<const int, void (*)(const int*)> closed{&fd,
                                                                [](const int* f) { ::close(*f); }};
  const auto write = [&](std::size_t n) {
    const auto at = static_cast<::off_t>(n % pages * page);
    if (::pwrite(fd, some.data(), page, at) != static_cast<::ssize_t>(page))
      throw std::system_error{errno, std::generic_category(), "pwrite"};
  };
  const auto sync = [&] {
    if (::fdatasync(fd) != 0) throw std::system_error{errno, std::generic_category(), "fdatasync"};
  };
  for (std::size_t n = 0; n < pages; ++n) write(n);
  sync();
  std::size_t n = 0;
  return median_us(times, [&] {
    write(n++);
    sync();
  });
}

// A task takes a snapshot every 5 s: there is one of each task in the first, there are two in the
// second.
constexpr std::chrono::milliseconds short_window{5'500};
constexpr std::chrono::milliseconds long_window{11'000};

void add_row(context& ctx, std::string what, aim_kind kind, double aim,
             const std::vector<double>& values, std::string unit, std::string figures = {}) {
  const auto s = spread_of(values);
  ctx.out.add({"commands", std::move(what), kind, aim, s.median, s.least, s.most, std::move(unit),
               std::move(figures)});
}

std::uint32_t keys_of(const context& ctx, std::uint32_t full) {
  return static_cast<std::uint32_t>(std::min<std::int64_t>(ctx.size(full), full));
}
std::chrono::milliseconds window_of(const context& ctx, std::chrono::milliseconds full) {
  return ctx.quick ? full / 20 : full;
}

void one_in_flight(context& ctx, std::uint32_t full_keys) {
  const all_cores whole_machine;
  const int times = ctx.quick ? 10 : 1000;
  command_figures figures;
  std::vector<double> above;
  std::vector<double> commit;
  std::vector<double> bare;
  for (int round = 0; round < ctx.rounds(3); ++round) {
    const auto folder = ctx.folder / std::to_string(round);
    {
      kappa::host h{purses_app(), options_in(folder / "engine")};
      must(h.start());
      figures.measure(h, keys_of(ctx, full_keys), 1, window_of(ctx, short_window));
      must(h.stop());
    }
    commit.push_back(one_record_us(folder / "one", times));
    bare.push_back(bare_sync_us(folder / "bare", times));
    above.push_back(figures.p50_us().back() - commit.back());
    std::filesystem::remove_all(folder);
  }
  const auto what = fmt::format("1 in flight, {} keys: ", full_keys);
  add_row(ctx, what + "above a commit of one record", aim_kind::at_most, 150, above, "µs",
          figures.text());
  add_row(ctx, what + "that commit, by the log's writer", aim_kind::none, 0, commit, "µs");
  add_row(ctx, what + "a bare pwrite of 4 KiB and fdatasync", aim_kind::none, 0, bare, "µs");
}

struct level {
  std::size_t in_flight;
  double of_loop;  // per cent, at least; 0: there is no aim
  double rate;     // thousands a second, at least
  double p99_ms;   // at most
};

void many_in_flight(context& ctx, const level& l, std::uint32_t full_keys) {
  const all_cores whole_machine;
  const auto keys = keys_of(ctx, full_keys);
  const auto window = window_of(ctx, l.in_flight < 1024 ? short_window : long_window);
  std::vector<double> of_loop;
  command_figures figures;
  for (int round = 0; round < ctx.rounds(3); ++round) {
    const auto folder = ctx.folder / std::to_string(round);
    double rate = 0;
    {
      kappa::host h{purses_app(), options_in(folder / "engine")};
      must(h.start());
      rate = figures.measure(h, keys, l.in_flight, window);
      must(h.stop());
    }
    {
      hand_loop by_hand{folder / "loop", keys};
      (void)by_hand.run(keys, 8192);  // so that it has met the keys, as the engine has
      const auto commands = std::max(1.0, rate * (ctx.quick ? 0.1 : 2));
      of_loop.push_back(100 * rate / by_hand.run(std::uint64_t(commands), l.in_flight));
    }
    std::filesystem::remove_all(folder);
  }
  const auto what = fmt::format("{} in flight, {} keys: ", l.in_flight, full_keys);
  const auto scaled = [](std::vector<double> all, double by) {
    for (auto& v : all) v *= by;
    return all;
  };
  add_row(ctx, what + "of a loop", l.of_loop > 0 ? aim_kind::at_least : aim_kind::none, l.of_loop,
          of_loop, "%", figures.text());
  if (l.rate > 0) {
    add_row(ctx, what + "thousands a second", aim_kind::at_least, l.rate,
            scaled(figures.rates(), 1e-3), "k/s");
  }
  if (l.p99_ms > 0) {
    add_row(ctx, what + "p99 with snapshots going on", aim_kind::at_most, l.p99_ms,
            scaled(figures.p99_us(), 1e-3), "ms");
  }
}

/// So many entities of so many events each.
void fill(const std::filesystem::path& folder, std::uint32_t keys, std::uint64_t events) {
  kappa::host h{purses_app(), options_in(folder)};
  must(h.start());
  command_load{h, keys, 8192, {.commands = events * keys}}.run();
  must(h.stop());
}

struct start_costs {
  spent answers;
  spent stop;
};

/// A host's start until the tasks of the first `asked` keys have answered, and, if so wanted, all
/// entities were read; and its stop.
start_costs start(const std::filesystem::path& folder, std::uint32_t asked, bool read_all) {
  kappa::host h{purses_app(), options_in(folder)};
  start_costs s;
  kappa::state_entries found;
  s.answers = timed(
      [&] {
        must(h.start());
        wait_for(h, asked);
        if (read_all) found = must(h.query_all("purses", asked));
      },
      whose::process);
  if (read_all && found.entries.size() != asked)
    throw std::runtime_error{fmt::format("{} of {} keys answer", found.entries.size(), asked)};
  s.stop = timed([&] { must(h.stop()); }, whose::process);
  return s;
}

struct starts {
  std::vector<double> warm_ms;  // with the state
  std::vector<double> cold_s;   // rebuilt from the log
  std::vector<double> cold_cpu_s;
  std::vector<double> stop_s;  // after that
  std::vector<double> stop_cpu_s;

  [[nodiscard]] std::string stop_text() const {
    return fmt::format("its stop then {:.2f} s, {:.2f} s of CPU", spread_of(stop_s).median,
                       spread_of(stop_cpu_s).median);
  }
};

starts start_again(context& ctx, const std::filesystem::path& folder, std::uint32_t keys) {
  starts all;
  for (int round = 0; round < ctx.rounds(5); ++round) {
    all.warm_ms.push_back(1e3 * start(folder, keys, true).answers.wall_s);
    std::filesystem::remove_all(folder / "state");
    const auto s = start(folder, keys, true);
    all.cold_s.push_back(s.answers.wall_s);
    all.cold_cpu_s.push_back(s.answers.cpu_s);
    all.stop_s.push_back(s.stop.wall_s);
    all.stop_cpu_s.push_back(s.stop.cpu_s);
  }
  return all;
}

void recovery(context& ctx) {
  const all_cores whole_machine;
  const auto folder = ctx.folder / "recovery";
  const auto keys = keys_of(ctx, 10'000);
  fill(folder, keys, 100);
  const auto all = start_again(ctx, folder, keys);
  add_row(ctx, "10,000 entities of 100 events, the state deleted: CPU until all answer",
          aim_kind::at_most, 0.25, all.cold_cpu_s, "s",
          fmt::format("{:.2f} s by the clock; {}", spread_of(all.cold_s).median, all.stop_text()));
  add_row(ctx, "the same started again with its state, until all answer", aim_kind::at_most, 100,
          all.warm_ms, "ms");
}

void one_long_history(context& ctx) {
  const all_cores whole_machine;
  const auto folder = ctx.folder / "long";
  fill(folder, 1, static_cast<std::uint64_t>(ctx.size(100'000)));
  const auto all = start_again(ctx, folder, 1);
  add_row(
      ctx, "one entity of 100,000 events, the state deleted, until it answers", aim_kind::none, 0,
      all.cold_s, "s",
      fmt::format("{:.2f} s of CPU; {}; with its state {:.0f} ms", spread_of(all.cold_cpu_s).median,
                  all.stop_text(), spread_of(all.warm_ms).median));
}

void many_entities(context& ctx) {
  const all_cores whole_machine;
  const auto folder = ctx.folder / "many";
  fill(folder, static_cast<std::uint32_t>(ctx.size(1'000'000)), 1);
  std::vector<double> first_ms;
  for (int round = 0; round < ctx.rounds(5); ++round)
    first_ms.push_back(1e3 * start(folder, 1, false).answers.wall_s);
  add_row(ctx, "1,000,000 entities, started again, until the first answers", aim_kind::at_most, 100,
          first_ms, "ms");
}

}  // namespace

std::vector<benchmark> command_benchmarks() {
  std::vector<benchmark> all;
  const std::uint32_t numbers_of_keys[] = {1'000, 100'000};
  for (const auto keys : numbers_of_keys)
    all.push_back({"commands, 1 in flight", [=](context& c) { one_in_flight(c, keys); }});
  for (const level& l : {level{64, 0, 0, 0}, level{1024, 0, 400, 20}, level{8192, 50, 840, 20}}) {
    for (const auto keys : numbers_of_keys)
      all.push_back({fmt::format("commands, {} in flight", l.in_flight),
                     [=](context& c) { many_in_flight(c, l, keys); }});
  }
  all.push_back({"commands, recovery", recovery});
  all.push_back({"commands, recovery", one_long_history});
  all.push_back({"commands, recovery", many_entities});
  return all;
}

}  // namespace bench
