// What every table of a task's state can do, whatever it holds.
//
// The life of a change: made in a step (undone when the step fails) → part of the open epoch →
// the epoch is closed → its T1 is durable (queries see it) → frozen for a snapshot → its T2 is
// durable (the table may forget it).
//
// Threading: the owner's thread only.
#pragma once

#include <cstddef>

#include "kappa/core/strong.hpp"
#include "kappa/state/state_store.hpp"

namespace kappa {

class state_table {
 public:
  virtual ~state_table() = default;

  /// A step is one record applied or one timer fired. Changes outside a step are a bug. Epochs
  /// never go back.
  virtual void begin_step(epoch_number open_epoch) = 0;
  virtual void commit_step() = 0;
  /// Takes back every change since begin_step.
  virtual void rollback_step() = 0;

  /// The epoch of the last step that was begun.
  [[nodiscard]] virtual epoch_number last_epoch() const = 0;

  /// T1 of all epochs up to `e` is durable.
  virtual void durable(epoch_number e) = 0;

  /// The changes since the last freeze, encoded; not inside a step. They stay readable here until
  /// `thaw`. One frozen set at a time.
  [[nodiscard]] virtual frozen_delta freeze() = 0;
  /// The T2 of the frozen set is durable, and so is T1 of its epochs. (Readers may see it in the
  /// store some time before.)
  virtual void thaw() = 0;

  /// Estimated memory: of the changes since the last freeze (for the snapshot's "too many dirty
  /// bytes" rule), of the frozen set until thaw, and of all that the table holds, both included.
  [[nodiscard]] virtual std::size_t dirty_bytes() const = 0;
  [[nodiscard]] virtual std::size_t frozen_bytes() const = 0;
  [[nodiscard]] virtual std::size_t cache_bytes() const = 0;
};

}  // namespace kappa
