// A cart, which is deleted by whoever has it, or when nothing has happened to it for a while.
#pragma once

#include <chrono>
#include <optional>

#include "carts.kappa.hpp"
#include "kappa/kappa.hpp"

// [delete]
struct cart : cart_state {
  using protocol = cart_protocol;

  auto decide(const add_item& c) const -> kappa::decision<item_added> { return item_added{c.item}; }
  auto decide(const discard&) const -> kappa::decision<discarded> {
    if (items.empty()) return kappa::nothing_to_do{};
    return discarded{};
  }
  // … and no apply for discarded: nothing stays that it could change.
  // [/delete]

  // [expire]
  static constexpr auto idle = std::chrono::seconds{2};  // of a shop: a day

  auto deadline() const -> std::optional<kappa::timestamp> { return touched_at + idle; }
  auto decide(const kappa::deadline_passed&) const -> kappa::decision<expired> { return expired{}; }

  void apply(const item_added& e, const kappa::apply_context& ctx) {
    items.push_back(e.item);
    touched_at = ctx.time;  // which moves the deadline
  }
  // [/expire]
};

inline kappa::app carts_app() {
  kappa::app app{"shop"};
  app.aggregate<cart>("carts");
  return app;
}
