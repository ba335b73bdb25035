// A ship, which falls silent when it has not been heard of for an hour, as the reports of all ships
// say it.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "kappa/kappa.hpp"
#include "ships.kappa.hpp"

// [ship]
struct ship : ship_state {
  using protocol = ship_protocol;

  auto decide(const report_position& c) const -> kappa::decision<position_reported> {
    return position_reported{c.at};
  }

  auto event_deadline() const -> std::optional<kappa::timestamp> {
    if (silent) return std::nullopt;
    return last_seen + std::chrono::hours{1};
  }
  auto decide(const kappa::event_deadline_passed&) const -> kappa::decision<fell_silent> {
    return fell_silent{};
  }

  void apply(const position_reported& e) {
    last_seen = std::max(last_seen, e.at);
    silent = false;
  }
  void apply(const fell_silent&) { silent = true; }
};
// [/ship]

inline kappa::app ships_app() {
  kappa::app app{"harbour"};
  app.aggregate<ship>("ships");
  return app;
}
