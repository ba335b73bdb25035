// What an event costs on its way to bytes and back, by Kappa's codec and by Cap'n Proto's library.

#include <string>

#include <benchmark/benchmark.h>
#include <capnp/message.h>

#include "flights.capnp.h"
#include "flights.kappa.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/json_traits.hpp"
#include "kappa/serialization/zero_copy.hpp"

namespace {

const bench::flight sample{.scheduled = kappa::timestamp{kappa::milliseconds{978336600000}},
                           .delay = 60,
                           .distance = 733,
                           .origin = "ORD",
                           .destination = "LGA"};

void encode(benchmark::State& state) {
  kappa::bytes out;
  for (auto _ : state) {
    out.clear();
    kappa::codec<bench::flight>::encode(sample, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(encode)->Name("codec/encode");

void decode(benchmark::State& state) {
  const auto raw = kappa::encoded(sample);
  for (auto _ : state) {
    auto v = kappa::codec<bench::flight>::decode(raw);
    benchmark::DoNotOptimize(v);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(decode)->Name("codec/decode");

void read_in_place(benchmark::State& state) {
  const auto raw = kappa::encoded(sample);
  std::int64_t sum = 0;
  for (auto _ : state) {
    const auto f = kappa::reader_of<::Flight>::over(raw);
    sum += (*f)->getDelay() + static_cast<std::int64_t>((*f)->getOrigin().size());
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(read_in_place)->Name("codec/read_in_place");

void to_json(benchmark::State& state) {
  for (auto _ : state) {
    auto text = kappa::to_json(sample);
    benchmark::DoNotOptimize(text.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(to_json)->Name("codec/to_json");

void from_json(benchmark::State& state) {
  const auto text = kappa::to_json(sample);
  for (auto _ : state) {
    auto v = kappa::from_json<bench::flight>(text);
    benchmark::DoNotOptimize(v);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(from_json)->Name("codec/from_json");

void set(::Flight::Builder b) {
  b.setScheduled(sample.scheduled.time_since_epoch().count());
  b.setDelay(sample.delay);
  b.setDistance(sample.distance);
  b.setOrigin(sample.origin.c_str());
  b.setDestination(sample.destination.c_str());
}

void library_build(benchmark::State& state) {
  std::string out;
  for (auto _ : state) {
    capnp::word scratch[64] = {};
    capnp::MallocMessageBuilder message{kj::arrayPtr(scratch, 64)};
    set(message.initRoot<::Flight>());
    const auto raw = message.getSegmentsForOutput()[0].asBytes();
    out.assign(reinterpret_cast<const char*>(raw.begin()), raw.size());
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(library_build)->Name("library/build");

void library_canonical(benchmark::State& state) {
  std::string out;
  for (auto _ : state) {
    capnp::word scratch[64] = {};
    capnp::MallocMessageBuilder message{kj::arrayPtr(scratch, 64)};
    set(message.initRoot<::Flight>());
    const auto words = capnp::canonicalize(message.getRoot<::Flight>().asReader());
    const auto raw = words.asBytes();
    out.assign(reinterpret_cast<const char*>(raw.begin()), raw.size());
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(library_canonical)->Name("library/build_canonical");

void library_decode(benchmark::State& state) {
  const auto raw = kappa::encoded(sample);
  for (auto _ : state) {
    const kj::ArrayPtr<const capnp::word> segment{reinterpret_cast<const capnp::word*>(raw.data()),
                                                  raw.size() / 8};
    capnp::SegmentArrayMessageReader message{kj::arrayPtr(&segment, 1)};
    const auto f = message.getRoot<::Flight>();
    bench::flight v{.scheduled = kappa::timestamp{kappa::milliseconds{f.getScheduled()}},
                    .delay = f.getDelay(),
                    .distance = f.getDistance(),
                    .origin = f.getOrigin().cStr(),
                    .destination = f.getDestination().cStr()};
    benchmark::DoNotOptimize(v);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(library_decode)->Name("library/decode");

}  // namespace
