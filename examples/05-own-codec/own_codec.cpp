// One new idea: types without a schema. A codec says how a value becomes bytes.
#include <cstdint>
#include <string>

#include <fmt/format.h>

#include "kappa/kappa.hpp"

struct sample {
  std::string sensor;
  kappa::timestamp at;
  std::int64_t value = 0;
};

// [codec]
template <>
struct kappa::codec<sample> {
  static void encode(const sample& v, bytes& out) {
    byte_writer{out}.put_bytes(v.sensor).put(v.at.time_since_epoch().count()).put(v.value);
  }
  static result<sample> decode(bytes_view in) {
    byte_reader r{in};
    sample v;
    v.sensor = bytes{r.get_bytes()};
    v.at = timestamp{milliseconds{r.get<std::int64_t>()}};
    v.value = r.get<std::int64_t>();
    if (!r.done()) return fail(errc::decode, "sample", "malformed");
    return v;
  }
  static schema_info schema() {
    return {.name = "sample", .fingerprint = 1, .description = "text sensor, i64 at, i64 value"};
  }
};
// [/codec]

// [event]
template <>
struct kappa::event_traits<sample> {
  static timestamp time(const sample& v) { return v.at; }
  static void key(const sample& v, bytes& out) { out += v.sensor; }
};
// [/event]

kappa::app largest_app(const std::string& file) {
  const kappa::csv_format format{.columns = {"at", "sensor", "value"}};
  const auto parse = [](kappa::csv_row& row) {
    return row.done(sample{.sensor = std::string{row.text("sensor")},
                           .at = row.time("at"),
                           .value = row.int64("value")});
  };
  kappa::app app{"largest"};
  app.source<sample>("samples", kappa::csv_source(file, format, parse))
      .key_by("sensor", &sample::sensor)
      .fold<std::int64_t>(
          "largest", [](std::int64_t& most, const sample& s) { most = std::max(most, s.value); });
  return app;
}

int main(int argc, char** argv) {
  kappa::runner runner{"own_codec", "The largest value of each sensor"};
  std::string input = "samples.csv";
  runner.option("--input", input, "CSV file: at,sensor,value");

  kappa::runner::hooks hooks;
  hooks.finished = [](kappa::host& host, bool /*anew*/) -> kappa::result<void> {
    for (const auto* sensor : {"left", "right"}) {
      const auto found = host.query<std::int64_t>("largest", sensor);
      if (!found) return kappa::fail(found.error());
      fmt::print("{}: {}\n", sensor, found->value.value_or(0));
    }
    return {};
  };
  return runner.run(
      argc, argv, [&] { return largest_app(input); }, hooks);
}
