// How a timer looks in its table: in the order of timers, whatever the size of its key.
//
// Threading: plain functions.
#pragma once

#include <optional>

#include "kappa/core/bytes.hpp"
#include "kappa/state/timer_table.hpp"

namespace kappa::detail {

/// `place` is what is compared and what LMDB sorts; `rest` is what of a long key does not fit
/// there.
struct kept_timer {
  bytes place;
  bytes rest;

  friend bool operator<(const kept_timer& a, const kept_timer& b) { return a.place < b.place; }
};

[[nodiscard]] kept_timer keep(const timer& t);
/// Nothing when malformed.
[[nodiscard]] std::optional<timer> give_back(bytes_view place, bytes_view rest);

}  // namespace kappa::detail
