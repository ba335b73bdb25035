#include "flights_app.hpp"

namespace flights {
namespace {

const kappa::csv_format columns{{"scheduled", "delay", "distance", "origin", "destination"}};

// [parse]
kappa::result<flight> parse_flight(kappa::csv_row& row) {
  return row.done(flight{.scheduled = row.time("scheduled"),
                         .delay = row.int32("delay"),
                         .distance = row.int32("distance"),
                         .origin = row.capitals("origin", 3),
                         .destination = row.capitals("destination", 3)});
}
// [/parse]

// [plausible]
// A time far ahead of all before it is a mistake: it would close every window.
auto plausible(const options& o) {
  const auto from = *kappa::parse_time(o.from);
  const auto to = *kappa::parse_time(o.to);
  return [=](const flight& f, const kappa::event_clock& clock) -> std::optional<std::string> {
    if (f.delay <= -120 || f.delay >= 1440) return "delay";
    if (f.distance <= 0) return "distance";
    if (f.scheduled < from || f.scheduled >= to) return "time out of bounds";
    const bool first = clock.largest == kappa::min_time;
    if (!first && f.scheduled > clock.largest + 24h) return "time too far ahead";
    return std::nullopt;
  };
}
// [/plausible]

}  // namespace

std::optional<delay_alert> judge(delay_history& history, const hour_of_origin& hour) {
  if (hour.value.flights < 5) return std::nullopt;
  const double mean = hour.value.mean();
  std::optional<delay_alert> alert;
  if (history.hours >= 24 && mean > history.mean + 3 * history.deviation()) {
    alert = delay_alert{.origin = hour.key,
                        .hour = hour.window.start,
                        .flights = hour.value.flights,
                        .mean_delay = mean,
                        .history_mean = history.mean,
                        .history_deviation = history.deviation()};
  }
  history.add(mean);
  return alert;
}

// An hour that alarms, and the first one after it that does not.
std::optional<hour_report> watch(delay_watch& w, const hour_of_origin& hour) {
  if (hour.value.flights < 5) return std::nullopt;
  delay_history history{w.history};
  const bool alarms = judge(history, hour).has_value();
  const bool tell = alarms || w.alarming;
  w.history = history;
  w.alarming = alarms;
  if (!tell) return std::nullopt;
  return hour_report{hour.key, {hour.window.start, hour.value.mean(), alarms}};
}

kappa::app flights_app(const options& o) {
  // [pipeline]
  kappa::app app{"flights"};

  auto hourly = app.source<flight>("ingest", kappa::csv_source(o.input, columns, parse_flight))
                    .validate("plausible", plausible(o))
                    .key_by("origin", &flight::origin)
                    .window(kappa::tumbling{1h}, {.lateness = 10min, .keep = kappa::forever})
                    .fold<hour_stats>("hourly-delays", &hour_stats::add);

  hourly.to("hourly-delays");
  const auto by_origin = hourly.key_by("origin-of-hour", &hour_of_origin::key);
  by_origin.process<delay_history>("delay-alerts", judge).to("delay-alerts");
  // [/pipeline]
  if (o.disruptions) {
    // [disruptions]
    app.aggregate<airport_disruption>("airport-disruptions");
    by_origin.process<delay_watch>("delay-watch", watch)
        .send("report-hour",
              [](const hour_report& r) { return kappa::command_to(r.origin, r.report); });
    // [/disruptions]
  }
  return app;
}

}  // namespace flights
