// A show that seats are booked for.
#pragma once

#include <string>

#include "kappa/kappa.hpp"
#include "shows.kappa.hpp"

struct show : show_state {
  using protocol = show_protocol;

  auto decide(const announce& c) const -> kappa::decision<announced> {
    if (seats > 0) return kappa::nothing_to_do{};
    return announced{c.seats};
  }
  auto decide(const book& c) const -> kappa::decision<booked> {
    if (c.seats > seats) return kappa::reject(std::to_string(seats) + " left");
    return booked{c.seats};
  }

  void apply(const announced& e) { seats = e.seats; }
  void apply(const booked& e) { seats -= e.seats; }
};

inline kappa::app shows_app() {
  kappa::app app{"box-office"};
  app.aggregate<show>("shows");
  return app;
}
