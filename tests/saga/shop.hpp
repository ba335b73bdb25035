// A shelf, and orders that hold a piece of it within a time limit: when that has passed an order
// puts the piece back without knowing whether it has it.
#pragma once

#include <algorithm>

#include "kappa/stream/app.hpp"
#include "shop.kappa.hpp"

namespace shop {

using namespace wire;

struct shelf : shelf_state {
  using protocol = shelf_protocol;

  auto decide(const stock& c) const -> kappa::decision<stocked> { return stocked{c.pieces}; }
  auto decide(const hold& c) const -> kappa::decision<wire::held> {
    if (left == 0) return kappa::reject("there is none left");
    return wire::held{c.order};
  }
  auto decide(const put_back& c) const -> kappa::decision<was_put_back> {
    if (std::find(held.begin(), held.end(), c.order) == held.end())
      return kappa::reject("it holds none");
    return was_put_back{c.order};
  }
  void apply(const stocked& e) { left += e.pieces; }
  void apply(const wire::held& e) {
    --left;
    held.push_back(e.order);
  }
  void apply(const was_put_back& e) {
    ++left;
    held.erase(std::find(held.begin(), held.end(), e.order));
  }
};

struct order : order_state {
  using protocol = order_protocol;

  static constexpr auto limit = std::chrono::minutes{10};

  auto decide(const place_order& c, const kappa::decide_context& ctx) const
      -> kappa::decision<order_placed> {
    if (stage != stage::none) return kappa::reject("it was placed");
    kappa::decision<order_placed> d{order_placed{c.shelf, ctx.now + limit}};
    return d.send(c.shelf, hold{std::string{ctx.key}}, {.about = "hold"});
  }
  auto decide(const kappa::command_result& r) const
      -> kappa::decision<order_confirmed, order_refused, hold_came_late, order_cancelled> {
    if (r.about == "put back") return order_cancelled{r.accepted() != nullptr};
    if (stage != stage::waiting) return hold_came_late{r.accepted() != nullptr};
    if (!r.accepted()) return order_refused{};
    return order_confirmed{};
  }
  auto deadline() const -> std::optional<kappa::timestamp> {
    if (stage != stage::waiting) return std::nullopt;
    return due_at;
  }
  // It may hold one, or be about to: what is sent comes after what was sent before.
  auto decide(const kappa::deadline_passed&, const kappa::decide_context& ctx) const
      -> kappa::decision<order_timed_out> {
    kappa::decision<order_timed_out> d{order_timed_out{}};
    return d.send(shelf, put_back{std::string{ctx.key}}, {.about = "put back"});
  }

  void apply(const order_placed& e) {
    stage = stage::waiting;
    shelf = e.shelf;
    due_at = e.due_at;
  }
  void apply(const order_confirmed&) { stage = stage::confirmed; }
  void apply(const order_refused&) { stage = stage::refused; }
  void apply(const order_timed_out&) { stage = stage::giving_back; }
  void apply(const hold_came_late& e) { ++(e.held ? held_late : refused_late); }
  void apply(const order_cancelled& e) {
    stage = stage::cancelled;
    gave_back = e.gave_back;
  }
};

inline kappa::app shop_app() {
  kappa::app app{"shop"};
  app.aggregate<order>("orders");
  app.aggregate<shelf>("shelves");
  return app;
}

}  // namespace shop
