// Reminders of aggregates. When an aggregate wants to be woken follows from its state:
//
//   auto deadline() const -> std::optional<kappa::timestamp>;
//   auto decide(const kappa::deadline_passed& d) const -> kappa::decision<expired>;
//
// The first is asked after every event. When that time has come by the framework's clock the second
// decides, as if it were a command, and what follows from it moves the deadline or ends it. So
// there is nothing to set, to cancel, or to lose: a deadline that was not acted upon comes again
// with the state, after any restart, at once where its time has passed meanwhile.
// A decision of nothing, or a rejection, leaves the aggregate as it was: it is not asked again
// until an event brings the deadline again, or perhaps a restart (where no snapshot says that it
// was asked). `deadline` must not throw.
//
// Threading: plain values.
#pragma once

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

}  // namespace kappa
