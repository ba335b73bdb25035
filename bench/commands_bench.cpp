// Commands of an aggregate, durable: how many a second, how long each takes, with so many in
// flight.
//
// The engine runs under a host, as a user's program does, with the defaults (4 partitions,
// snapshots, the window of command ids), on all cores; each command has an id of its own. The load
// comes from the same process: whoever is answered asks the next one, in the callback, for a key
// chosen at random. The loop is one thread without actors: it finds the state, decides, applies,
// encodes the event with the same headers, and commits as many as the engine has in flight in one
// transaction of the same log. It has no window of ids, no undo, no snapshots, and nobody who
// waits.
//
// "One in flight" is compared with a commit of one record by the same log's writer.
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

/// The same by hand. Gives the CPU and the time of `commands`.
spent loop(const std::filesystem::path& folder, std::uint32_t keys, std::uint64_t commands,
           std::size_t in_flight) {
  const written_log log{folder};
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < keys; ++i) names.push_back(key_name(i));
  struct entry {
    std::uint64_t version = 0;
    purse state;
  };
  std::unordered_map<std::string, entry> states;
  kappa::bytes schema;
  kappa::envelope e;
  e.schema = kappa::reference_to(kappa::codec<was_put>::schema());
  kappa::encode_envelope(schema, e);
  kappa::bytes value;
  kappa::bytes headers;
  kappa::bytes own;
  return timed(
      [&] {
        for (std::uint64_t n = 0; n < commands;) {
          const auto now = kappa::system_now();
          auto batch = std::make_shared<kappa::record_batch>();
          for (std::size_t i = 0; i < in_flight && n < commands; ++i, ++n) {
            const auto& key = names[(n * 0x9e3779b97f4a7c15ULL >> 32) % names.size()];
            const auto body = kappa::encoded(put{1});  // the asker's work
            auto& at = states[key];
            const auto command = must(kappa::codec<put>::decode(body));
            const auto decided = at.state.decide(command);
            const auto& event = std::get<was_put>(decided.events().front());
            at.state.apply(event);
            value.clear();
            kappa::codec<was_put>::encode(event, value);
            headers = schema;
            const auto place = kappa::encode_event_header({++at.version, 0, 1});
            kappa::encode_command_header({now, 0, id_name(n, 0), {}}, own);
            const kappa::header_view more[] = {{kappa::event_header_name, place},
                                               {kappa::command_header_name, own}};
            kappa::encode_headers(headers, more);
            batch->add(now, key, value, headers);
          }
          log.commit(std::move(batch));
        }
      },
      whose::process);
}

/// Microseconds of a commit of one record.
double one_record_us(const std::filesystem::path& folder, int commits) {
  const written_log log{folder};
  auto batch = std::make_shared<kappa::record_batch>();
  batch->add(kappa::system_now(), "purse-000000", kappa::encoded(was_put{1}));
  std::vector<double> took;
  for (int i = 0; i < commits; ++i) {
    const auto s = timed([&] { log.commit(batch); });
    took.push_back(1e6 * s.wall_s);
  }
  return spread_of(took).median;
}

void commands(context& ctx, std::size_t in_flight, std::uint32_t full_keys, std::int64_t full) {
  const all_cores whole_machine;
  const auto keys =
      static_cast<std::uint32_t>(std::min<std::int64_t>(ctx.size(full_keys), full_keys));
  const auto n = static_cast<std::uint64_t>(ctx.size(full));
  std::vector<double> of_loop;
  command_figures figures;
  std::vector<double> of_one;
  for (int round = 0; round < ctx.rounds(3); ++round) {
    const auto folder = ctx.folder / std::to_string(round);
    double engine_s = 0;
    {
      kappa::host h{purses_app(), options_in(folder / "engine")};
      must(h.start());
      engine_s = figures.measure(h, keys, n, in_flight).wall_s;
      must(h.stop());
    }
    if (in_flight == 1) {
      of_one.push_back(
          one_record_us(folder / "one", static_cast<int>(std::min<std::uint64_t>(n, 1000))));
    } else {
      const auto s = loop(folder / "loop", keys, n, in_flight);
      of_loop.push_back(100 * s.wall_s / engine_s);
    }
    std::filesystem::remove_all(folder);
  }
  const auto what = fmt::format("{} in flight, {} keys", in_flight, full_keys);
  if (in_flight == 1) {
    std::vector<double> above;
    for (std::size_t i = 0; i < of_one.size(); ++i)
      above.push_back(figures.p50_us()[i] - of_one[i]);
    const auto s = spread_of(above);
    ctx.out.add(
        {"commands", what + ": above a commit of one record", aim_kind::at_most, 150, s.median,
         s.least, s.most, "µs",
         fmt::format("{}; the commit {:.0f} µs", figures.text(), spread_of(of_one).median)});
    return;
  }
  const auto s = spread_of(of_loop);
  ctx.out.add({"commands", what + ": of a loop",
               in_flight == 8192 ? aim_kind::at_least : aim_kind::none, 50, s.median, s.least,
               s.most, "%", figures.text()});
}

/// So many entities of so many events each.
void fill(const std::filesystem::path& folder, std::uint32_t keys, std::uint64_t events) {
  kappa::host h{purses_app(), options_in(folder)};
  must(h.start());
  command_load l{h, keys, events * keys, 8192};
  l.run();
  l.check();
  must(h.stop());
}

/// A host's start, until the first keys answer.
spent start(const std::filesystem::path& folder, std::uint32_t asked) {
  return timed(
      [&] {
        kappa::host h{purses_app(), options_in(folder)};
        must(h.start());
        wait_for(h, asked);
      },
      whose::process);
}

struct starts {
  std::vector<double> warm_ms;  // with the state
  std::vector<double> cold_s;   // rebuilt from the log
  std::vector<double> cold_cpu_s;
};

starts start_again(context& ctx, const std::filesystem::path& folder, std::uint32_t asked) {
  starts all;
  for (int round = 0; round < ctx.rounds(5); ++round) {
    all.warm_ms.push_back(1e3 * start(folder, asked).wall_s);
    std::filesystem::remove_all(folder / "state");
    const auto s = start(folder, asked);
    all.cold_s.push_back(s.wall_s);
    all.cold_cpu_s.push_back(s.cpu_s);
  }
  return all;
}

/// 10,000 entities of 100 events each; they are in all partitions, so a few that answer stand for
/// all.
void recovery(context& ctx) {
  const all_cores whole_machine;
  const auto folder = ctx.folder / "recovery";
  fill(folder, static_cast<std::uint32_t>(ctx.size(10'000)), 100);
  const auto all = start_again(ctx, folder, 100);
  const auto c = spread_of(all.cold_cpu_s);
  ctx.out.add({"commands", "10,000 entities of 100 events, the state deleted: CPU until all answer",
               aim_kind::at_most, 0.25, c.median, c.least, c.most, "s",
               fmt::format("{:.2f} s by the clock", spread_of(all.cold_s).median)});
  const auto w = spread_of(all.warm_ms);
  ctx.out.add({"commands", "the same started again with its state, until all answer",
               aim_kind::at_most, 100, w.median, w.least, w.most, "ms"});
}

void one_long_history(context& ctx) {
  const all_cores whole_machine;
  const auto folder = ctx.folder / "long";
  fill(folder, 1, static_cast<std::uint64_t>(ctx.size(100'000)));
  const auto all = start_again(ctx, folder, 1);
  const auto s = spread_of(all.cold_s);
  ctx.out.add({"commands", "one entity of 100,000 events, the state deleted, until it answers",
               aim_kind::none, 0, s.median, s.least, s.most, "s",
               fmt::format("{:.2f} s of CPU; with its state {:.0f} ms",
                           spread_of(all.cold_cpu_s).median, spread_of(all.warm_ms).median)});
}

void many_entities(context& ctx) {
  const all_cores whole_machine;
  const auto folder = ctx.folder / "many";
  fill(folder, static_cast<std::uint32_t>(ctx.size(1'000'000)), 1);
  std::vector<double> first_ms;
  for (int round = 0; round < ctx.rounds(5); ++round)
    first_ms.push_back(1e3 * start(folder, 1).wall_s);
  const auto s = spread_of(first_ms);
  ctx.out.add({"commands", "1,000,000 entities, started again, until the first answers",
               aim_kind::at_most, 100, s.median, s.least, s.most, "ms"});
}

}  // namespace

std::vector<benchmark> command_benchmarks() {
  std::vector<benchmark> all;
  const auto add = [&](std::size_t in_flight, std::int64_t commands_of_a_run) {
    for (const std::uint32_t keys : {1'000, 100'000}) {
      all.push_back(
          {"commands", [=](context& c) { commands(c, in_flight, keys, commands_of_a_run); }});
    }
  };
  add(1, 3'000);
  add(64, 100'000);
  add(1024, 500'000);
  add(8192, 1'000'000);
  all.push_back({"commands, recovery", recovery});
  all.push_back({"commands, recovery", one_long_history});
  all.push_back({"commands, recovery", many_entities});
  return all;
}

}  // namespace bench
