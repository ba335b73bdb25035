// One step: a record going through a stage's operators, or a timer that fires.
//
// Operators see the world through a step_context: time, key, state, timers, outputs. A step is all
// or nothing; an operator that cannot go on throws `step_failure`, and the task undoes the step
// and writes a dead letter.
//
// Threading: the task's thread. Ownership: views are valid during the step.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kappa/aggregate/outgoing_command.hpp"
#include "kappa/core/bytes.hpp"
#include "kappa/core/caught.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/time.hpp"
#include "kappa/log/record.hpp"
#include "kappa/state/timer_table.hpp"

namespace kappa {

/// Where event time stands before the present record: what a `validate` may ask for.
struct event_clock {
  /// Largest event time of the valid records of this input so far (min_time: none yet).
  timestamp largest = min_time;
  /// The task's watermark.
  timestamp watermark = min_time;
};

namespace detail {

/// Thrown by operators to fail the step. User code's own exceptions count the same.
class step_failure : public thrown_error {
 public:
  using thrown_error::thrown_error;
};

using port_index = std::uint16_t;  // an output of a stage
using op_index = std::uint16_t;    // an operator of a stage

struct step_context;

/// Takes what steps emit: the open epoch.
class emitter {
 public:
  virtual ~emitter() = default;
  /// Adds a record to an output. `placed_by` chooses the partition (none: the task's own number).
  virtual void emit(port_index port, std::optional<bytes_view> placed_by,
                    std::optional<bytes_view> key, bytes_view value, timestamp time) = 0;
  /// The step's own input record goes to the late output `port`, as it was read.
  virtual void emit_late(port_index port) = 0;
  /// A command to an aggregate of the app. Its id is derived from the operator, by its name, and
  /// from what the step works on. `op` lives as long as the task.
  virtual void send(const std::string& op, const outgoing_command& command,
                    const step_context& ctx) = 0;
};

/// What a step may use. Made by the task, one for its life; fields change from step to step.
struct step_context {
  emitter* out = nullptr;
  timer_table* closing_timers = nullptr;  // see the effective watermark (`end` closes windows)
  timer_table* timers = nullptr;          // see the last real watermark

  /// Event time of the element that is being processed.
  timestamp time = min_time;
  /// Key of the element: the record's, or what key_by gave. No value: null.
  std::optional<bytes_view> key;
  event_clock clock;
  /// The watermark that windows are judged by: max_time after `end`.
  timestamp effective_watermark = min_time;
  /// The operator whose code runs now: named in dead letters and in the crash ledger.
  volatile op_index op = 0;
  /// Updates state and emits nothing.
  bool muted = false;
  /// Set by the first operator that reads the event time out of the value.
  timestamp record_time = min_time;
  std::uint64_t late_records = 0;
  bytes scratch;  // for encoding; its content never outlives one call
};

/// The first operator of an input: gets the record as read.
class record_receiver {
 public:
  virtual ~record_receiver() = default;
  virtual void receive(const record_view& record, step_context& ctx) = 0;
};

/// Any further operator: gets decoded elements.
class receiver_base {
 public:
  virtual ~receiver_base() = default;
};

template <class T>
class receiver : public receiver_base {
 public:
  virtual void receive(const T& value, step_context& ctx) = 0;
};

/// An operator that set timers is told when they fire.
class timer_receiver {
 public:
  virtual ~timer_receiver() = default;
  /// `closing`: it is one of step_context::closing_timers.
  virtual void fire(const timer& t, bool closing, step_context& ctx) = 0;
  /// The step of `fire` failed and was undone; the timer will not come again.
  virtual void give_up(const timer& t, bool closing, step_context& ctx) = 0;
  /// The state that belongs to the timer, encoded, for a dead letter.
  virtual bytes state_of(const timer& t) = 0;
};

}  // namespace detail
}  // namespace kappa
