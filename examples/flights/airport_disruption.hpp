// A disruption of an airport: the first hour that alarms opens it, the first that does not closes
// it.
#pragma once

#include <algorithm>

#include "flights.kappa.hpp"
#include "kappa/aggregate/aggregate.hpp"

namespace flights {

// [aggregate]
struct airport_disruption : disruption_state {
  using protocol = airport_disruption_protocol;

  auto decide(const report_hour& c) const
      -> kappa::decision<disruption_opened, disruption_went_on, disruption_closed> {
    if (disruptions > 0 && c.hour <= last_hour) return kappa::reject("the hour is known");
    if (c.alarming && open) return disruption_went_on{c.hour, c.mean_delay};
    if (c.alarming) return disruption_opened{c.hour, c.mean_delay};
    if (open) return disruption_closed{c.hour};
    return kappa::nothing_to_do{};
  }

  void apply(const disruption_opened& e) {
    open = true;
    since = last_hour = e.hour;
    worst_delay = e.mean_delay;
    ++disruptions;
  }
  void apply(const disruption_went_on& e) {
    last_hour = e.hour;
    worst_delay = std::max(worst_delay, e.mean_delay);
  }
  void apply(const disruption_closed& e) {
    open = false;
    last_hour = e.hour;
  }
};
// [/aggregate]

}  // namespace flights
