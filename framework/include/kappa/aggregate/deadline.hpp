// Reminders of aggregates. When an aggregate wants to be woken follows from its state:
//
//   auto deadline() const -> std::optional<kappa::timestamp>;
//   auto decide(const kappa::deadline_passed& d) const -> kappa::decision<expired>;
//
// The first is asked after every event. When that time has come by the framework's clock the second
// decides, as if it were a command, and what follows from it moves the deadline or ends it. So
// there is nothing to set, to cancel, or to lose: a deadline that was not acted upon comes again
// with the state, after any restart, at once where its time has passed meanwhile.
//
// The same in event time, for what is to follow from what the events say and not from when they are
// processed; an aggregate may have both:
//
//   auto event_deadline() const -> std::optional<kappa::timestamp>;
//   auto decide(const kappa::event_deadline_passed& d) const -> kappa::decision<went_quiet>;
//
// Event time is the latest that any event of the aggregate's partition has said, of those whose
// type has one ($Kappa.eventTime): it moves with events, of other keys too, and with nothing else.
// What is due is decided before the next command of the partition.
//
// A decision of nothing, or a rejection, leaves the aggregate as it was: it is not asked again
// until an event brings the deadline again, or perhaps a restart (where no snapshot says that it
// was asked). `deadline` must not throw.
//
// Threading: plain values.
#pragma once

#include <array>
#include <cstdint>

#include "kappa/core/bytes.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/time.hpp"

namespace kappa {

struct deadline_passed {
  timestamp deadline = min_time;  // as the state said it
  friend bool operator==(const deadline_passed&, const deadline_passed&) = default;
};

struct event_deadline_passed {
  timestamp deadline = min_time;    // as the state said it
  timestamp event_time = min_time;  // how far the partition has come
  friend bool operator==(const event_deadline_passed&, const event_deadline_passed&) = default;
};

namespace detail {

/// What says that a deadline has passed.
enum class deadline_clock : std::uint8_t { machine, events };
inline constexpr std::array deadline_clocks{deadline_clock::machine, deadline_clock::events};

}  // namespace detail

template <>
struct codec<deadline_passed> {
  static void encode(const deadline_passed& v, bytes& out) {
    byte_writer{out}.put(std::int64_t{v.deadline.time_since_epoch().count()});
  }
  [[nodiscard]] static result<deadline_passed> decode(bytes_view in) {
    byte_reader r{in};
    deadline_passed v{timestamp{milliseconds{r.get<std::int64_t>()}}};
    if (!r.done()) return fail(errc::decode, "a deadline", "it is malformed");
    return v;
  }
  [[nodiscard]] static schema_info schema() {
    return {"kappa:DeadlinePassed", 0, 1, "kappa:DeadlinePassed", nullptr};
  }
};

template <>
struct codec<event_deadline_passed> {
  static void encode(const event_deadline_passed& v, bytes& out) {
    byte_writer{out}.put(std::int64_t{v.deadline.time_since_epoch().count()});
    byte_writer{out}.put(std::int64_t{v.event_time.time_since_epoch().count()});
  }
  [[nodiscard]] static result<event_deadline_passed> decode(bytes_view in) {
    byte_reader r{in};
    event_deadline_passed v;
    v.deadline = timestamp{milliseconds{r.get<std::int64_t>()}};
    v.event_time = timestamp{milliseconds{r.get<std::int64_t>()}};
    if (!r.done()) return fail(errc::decode, "a deadline", "it is malformed");
    return v;
  }
  [[nodiscard]] static schema_info schema() {
    return {"kappa:EventDeadlinePassed", 0, 1, "kappa:EventDeadlinePassed", nullptr};
  }
};

}  // namespace kappa
