// Commands of an aggregate on Kafka, durable: how many a second, how long each takes, with so many
// in flight; one core for the broker, one for the program. The load is in the program
// (commands.hpp).
//
// The loop is hand-written on librdkafka, one thread: it decides, applies and encodes with the same
// headers, and sends as many as the engine has in flight in one transaction. It reads nothing,
// moves no positions, and has no window of ids, no undo, no snapshots, and nobody who waits.
#include <unordered_map>

#include <fmt/format.h>

#include "commands.hpp"
#include "kafka/benchmarks.hpp"
#include "kafka/engine.hpp"
#include "kafka/pinned_broker.hpp"
#include "kafka/plain_client.hpp"
#include "kappa/aggregate/event_header.hpp"
#include "kappa/aggregate/remembered.hpp"
#include "kappa/core/partitioner.hpp"
#include "kappa/log/envelope.hpp"

namespace bench::kafka {
namespace {

constexpr std::int32_t partitions = 4;
constexpr int patience_ms = 60'000;

spent loop(const pinned_broker& broker, const std::string& name, std::uint32_t keys,
           std::uint64_t commands, std::size_t in_flight) {
  {
    kappa::topic_config c;
    c.name = name;
    c.partitions = partitions;
    must(broker.open_log()->create_topic(c));
  }
  const auto producer = open_producer({{"bootstrap.servers", broker.address()},
                                       {"transactional.id", name},
                                       {"linger.ms", "0"},
                                       {"queue.buffering.max.messages", "1000000"}});
  expect_ok(fault{rd_kafka_init_transactions(producer.get(), patience_ms)}, "init");
  const auto topic = open_topic(producer, name);
  struct entry {
    std::uint64_t version = 0;
    purse state;
  };
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < keys; ++i) names.push_back(key_name(i));
  std::unordered_map<std::string, entry> states;
  kappa::bytes envelope;
  kappa::envelope e;
  e.schema = kappa::reference_to(kappa::codec<was_put>::schema());
  kappa::encode_envelope(envelope, e);
  const auto schema = kappa::headers_view{envelope}.find(kappa::envelope_header::schema).value();
  kappa::bytes value;
  kappa::bytes own;
  const auto send = [&](std::uint64_t n, kappa::timestamp now) {
    const auto& key = names[(n * 0x9e3779b97f4a7c15ULL >> 32) % names.size()];
    const auto body = kappa::encoded(put{1});  // the asker's work
    auto& at = states[key];
    const auto decided = at.state.decide(must(kappa::codec<put>::decode(body)));
    const auto& event = std::get<was_put>(decided.events().front());
    at.state.apply(event);
    value.clear();
    kappa::codec<was_put>::encode(event, value);
    const auto place = kappa::encode_event_header({++at.version, 0, 1});
    kappa::encode_command_header({now, 0, id_name(n, 0), {}}, own);
    auto* const headers = rd_kafka_headers_new(3);
    const auto add = [&](std::string_view header, kappa::bytes_view is) {
      rd_kafka_header_add(headers, header.data(), static_cast<ssize_t>(header.size()), is.data(),
                          static_cast<ssize_t>(is.size()));
    };
    add(kappa::envelope_header::schema, schema);
    add(kappa::event_header_name, place);
    add(kappa::command_header_name, own);
    rd_kafka_vu_t parts[7]{};
    parts[0].vtype = RD_KAFKA_VTYPE_RKT;
    parts[0].u.rkt = topic.get();
    parts[1].vtype = RD_KAFKA_VTYPE_PARTITION;
    parts[1].u.i32 = kappa::partition_of(key, partitions).value;
    parts[2].vtype = RD_KAFKA_VTYPE_KEY;
    parts[2].u.mem = {const_cast<char*>(key.data()), key.size()};
    parts[3].vtype = RD_KAFKA_VTYPE_VALUE;
    parts[3].u.mem = {value.data(), value.size()};
    parts[4].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    parts[4].u.i = RD_KAFKA_MSG_F_COPY;
    parts[5].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    parts[5].u.i64 = now.time_since_epoch().count();
    parts[6].vtype = RD_KAFKA_VTYPE_HEADERS;
    parts[6].u.headers = headers;
    expect_ok(fault{rd_kafka_produceva(producer.get(), parts, 7)}, "produce");
  };
  return timed(
      [&] {
        for (std::uint64_t n = 0; n < commands;) {
          const auto now = kappa::system_now();
          expect_ok(fault{rd_kafka_begin_transaction(producer.get())}, "begin");
          for (std::size_t i = 0; i < in_flight && n < commands; ++i, ++n) send(n, now);
          expect_ok(fault{rd_kafka_commit_transaction(producer.get(), patience_ms)}, "commit");
        }
      },
      whose::process);
}

void commands(context& ctx, const pinned_broker& broker, std::size_t in_flight,
              std::uint32_t full_keys) {
  const auto keys =
      static_cast<std::uint32_t>(std::min<std::int64_t>(ctx.size(full_keys), full_keys));
  const std::chrono::milliseconds window{ctx.quick ? 1'000 : 5'000};
  std::vector<double> of_loop;
  command_figures figures;
  for (int round = 0; round < ctx.rounds(3); ++round) {
    const auto name = fmt::format("bench-{}-{}-{}", in_flight, full_keys, round);
    const auto state = ctx.folder / name;
    double rate = 0;
    {
      kappa::host h{purses_app(name), options_on(broker, state, partitions)};
      must(h.start());
      wait_for(h, 100);
      rate = figures.measure(h, keys, in_flight, window);
      must(h.stop());
    }
    std::filesystem::remove_all(state);
    const auto n = std::max<std::uint64_t>(1, std::uint64_t(rate * window.count() / 2e3));
    const auto s =
        loop(broker, fmt::format("loop-{}-{}-{}", in_flight, full_keys, round), keys, n, in_flight);
    of_loop.push_back(100 * rate * s.wall_s / double(n));
  }
  const auto s = spread_of(of_loop);
  ctx.out.add({"commands", fmt::format("{} in flight, {} keys: of a loop", in_flight, full_keys),
               aim_kind::none, 0, s.median, s.least, s.most, "%", figures.text()});
}

void all_commands(context& ctx) {
  const pinned_broker broker;
  for (const std::size_t in_flight : {1, 64, 1024, 8192}) {
    for (const std::uint32_t keys : {1'000, 100'000}) commands(ctx, broker, in_flight, keys);
  }
}

}  // namespace

std::vector<benchmark> command_benchmarks() { return {{"commands", all_commands}}; }

}  // namespace bench::kafka
