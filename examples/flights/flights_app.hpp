// The main example: delays of US flights, an hour and an origin at a time, and alerts.
#pragma once

#include <cmath>
#include <optional>
#include <string>

#include "airport_disruption.hpp"
#include "flights.kappa.hpp"
#include "kappa/kappa.hpp"

namespace flights {

using namespace std::chrono_literals;

/// An hour of an origin.
struct hour_stats : hour_fields {
  void add(const flight& f) {
    min_delay = flights == 0 ? f.delay : std::min(min_delay, f.delay);
    max_delay = flights == 0 ? f.delay : std::max(max_delay, f.delay);
    delay_sum += f.delay;
    delayed += f.delay >= 15 ? 1 : 0;
    ++flights;
  }
  [[nodiscard]] double mean() const {
    return static_cast<double>(delay_sum) / static_cast<double>(flights);
  }
  [[nodiscard]] double share_delayed() const {
    return static_cast<double>(delayed) / static_cast<double>(flights);
  }
};

/// The earlier hours of an origin, by Welford's method (Technometrics 4, 1962).
struct delay_history : history_fields {
  void add(double hour_mean) {
    ++hours;
    const double delta = hour_mean - mean;
    mean += delta / static_cast<double>(hours);
    m2 += delta * (hour_mean - mean);
  }
  [[nodiscard]] double deviation() const {
    return hours == 0 ? 0 : std::sqrt(m2 / static_cast<double>(hours));
  }
};

using hour_of_origin = kappa::windowed<std::string, hour_stats>;

/// The alert that an hour gives, if any; then the hour joins the history.
[[nodiscard]] std::optional<delay_alert> judge(delay_history& history, const hour_of_origin& hour);

using delay_watch = watch_fields;

/// What the airport's aggregate is to be told.
struct hour_report {
  std::string origin;
  report_hour report;
};

[[nodiscard]] std::optional<hour_report> watch(delay_watch& w, const hour_of_origin& hour);

struct options {
  std::string input;
  std::string from = "1987-01-01";
  std::string to = "2100-01-01";
  bool disruptions = false;  // alerts open and close disruptions of airports
};

[[nodiscard]] kappa::app flights_app(const options& o);

}  // namespace flights
