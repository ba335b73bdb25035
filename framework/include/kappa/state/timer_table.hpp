// Durable timers of a task: an ordered set of (time, operator, key).
//
// Order is (time, operator, key) by bytes. Memory holds the changes since the last snapshot and a
// bounded read-ahead, so a million timers cost a million small entries on disk, not in memory.
// Keys of more than 400 bytes are ordered by their first 384 bytes and a hash of the whole: always
// the same way, so that replay fires in the same order.
//
// Threading: the owner's thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "kappa/core/bytes.hpp"
#include "kappa/core/time.hpp"
#include "kappa/state/table.hpp"

namespace kappa {

struct timer {
  timestamp time;
  std::uint16_t op = 0;  // index of the timer's operator in the stage
  bytes key;             // the operator's state key

  friend auto operator<=>(const timer&, const timer&) = default;
  friend bool operator==(const timer&, const timer&) = default;
};

/// Bytes of a timer in the order of timers, and back (nothing when malformed).
[[nodiscard]] bytes encode_timer(const timer& t);
[[nodiscard]] std::optional<timer> decode_timer(bytes_view in);

/// The order in which a table gives its timers.
[[nodiscard]] bool timer_before(const timer& a, const timer& b);

class timer_table : public state_table {
 public:
  /// `table`: its index in the store.
  [[nodiscard]] static std::unique_ptr<timer_table> create(state_store& store, std::size_t table);

  /// Adds a timer; nothing to do when it is there.
  virtual void add(const timer& t) = 0;
  /// Removes a timer; nothing to do when it is not there.
  virtual void remove(const timer& t) = 0;
  /// The first timer in order, when its time is <= `limit`.
  [[nodiscard]] virtual result<std::optional<timer>> first_due(timestamp limit) = 0;
};

}  // namespace kappa
