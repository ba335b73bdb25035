#include "weather_app.hpp"

using namespace std::chrono_literals;

kappa::result<reading> parse_reading(kappa::csv_row& row) {
  return row.done(reading{.at = row.time("at"),
                          .station = std::string{row.text("station")},
                          .celsius = row.int32("celsius")});
}

// [windows]
void highest_by_hour(const kappa::stream<reading>& readings) {
  auto hours = readings.key_by("station", &reading::station)
                   .window(kappa::tumbling{1h}, {.lateness = 10min})
                   .fold<hour>("hourly", &hour::add);

  hours.to("hours");
  hours.filter("frost", [](const auto& w) { return w.value.highest < 0; })
      .map("text", [](const auto& w) { return w.key + ", " + kappa::format_time(w.window.start); })
      .to("frosty-hours");
}
// [/windows]

kappa::app weather_app(const std::string& file) {
  kappa::app app{"weather"};
  const kappa::csv_format format{.columns = {"at", "station", "celsius"}};
  highest_by_hour(app.source<reading>("readings", kappa::csv_source(file, format, parse_reading)));
  return app;
}
