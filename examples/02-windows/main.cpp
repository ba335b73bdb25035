// Runs the pipeline over a file, then prints what is in the topics.
#include <fmt/format.h>

#include "weather_app.hpp"

int main(int argc, char** argv) {
  std::string input = "readings.csv";
  kappa::runner runner{"windows", "The highest temperature of each station and hour"};
  runner.option("--input", input, "CSV file: at,station,celsius");

  kappa::runner::hooks hooks;
  // [read]
  hooks.finished = [](kappa::host& host, bool /*anew*/) -> kappa::result<void> {
    return kappa::for_each_record(
        host.log(), "hours", [](const kappa::record_view& r) -> kappa::result<void> {
          const auto key = kappa::split_windowed_key(*r.key);
          const auto value = kappa::codec<hour>::decode(*r.value);
          if (!value) return kappa::fail(value.error());
          fmt::print("{} {}: highest {} of {}\n", key->key, kappa::format_time(key->start),
                     value->highest, value->readings);
          return {};
        });
  };
  // [/read]
  return runner.run(
      argc, argv, [&] { return weather_app(input); }, hooks);
}
