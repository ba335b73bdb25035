// An order, in the second version of its events. The log has those of the first one too.
#pragma once

#include <vector>

#include "kappa/aggregate/aggregate.hpp"
#include "orders.kappa.hpp"

// [order]
struct order : order_state {
  using protocol = order_protocol;

  // What was one event is two, or one.
  static auto upcast(const ordered& e) -> std::vector<kappa::any_event<order>> {
    if (e.as_present) return {placed{e.item}, wrapped{}};
    return {placed{e.item}};
  }
  // [/order]

  auto decide(const place_order& c) const -> kappa::decision<placed, wrapped> {
    if (!item.empty()) return kappa::reject("it was placed before");
    kappa::decision<placed, wrapped> d{placed{c.item}};
    if (c.as_present) d.add(wrapped{});
    return d;
  }
  auto decide(const ship_order& /*c*/) const -> kappa::decision<shipped> {
    if (item.empty()) return kappa::reject("there is no such order");
    return shipped{"post"};
  }

  void apply(const placed& e) { item = e.item; }
  void apply(const wrapped& /*e*/) { is_present = true; }
  void apply(const shipped& /*e*/) { is_gone = true; }
};
