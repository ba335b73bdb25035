// The deadlines of a partition's aggregates by one clock: a table of its state, and when the next
// of them is due.
//
// Threading: the task's thread only. Changes within a step of the table.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>

#include "kappa/aggregate/program.hpp"
#include "kappa/state/timer_table.hpp"

namespace kappa::detail {

class deadline_queue {
 public:
  /// `table`: its index in the store.
  deadline_queue(deadline_clock clock, state_store& store, std::size_t table)
      : clock_{clock}, table_{timer_table::create(store, table)} {}

  [[nodiscard]] deadline_clock clock() const { return clock_; }
  [[nodiscard]] timer_table& table() { return *table_; }
  [[nodiscard]] const timer_table& table() const { return *table_; }
  /// No deadline is earlier; min_time: nobody has looked.
  [[nodiscard]] timestamp next() const { return next_; }

  void note(bytes_view key, const deadline_change& change) {
    if (change.before && change.before != change.after)
      table_->remove({*change.before, op(), bytes{key}});
    if (!change.after) return;
    table_->add({*change.after, op(), bytes{key}});
    next_ = std::min(next_, *change.after);
  }
  void remove(const timer& t) { table_->remove(t); }

  /// The first that is due; nothing: none is, and `next` is exact.
  [[nodiscard]] result<std::optional<timer>> due(timestamp now) {
    auto found = table_->first_due(now);
    if (!found || *found) return found;
    auto later = table_->first_due(max_time);
    if (!later) return later;
    next_ = *later ? (*later)->time : max_time;
    return std::optional<timer>{};
  }

 private:
  [[nodiscard]] std::uint16_t op() const { return static_cast<std::uint16_t>(clock_); }

  deadline_clock clock_;
  std::unique_ptr<timer_table> table_;
  timestamp next_ = min_time;
};

}  // namespace kappa::detail
