// Whether what has no end of its own has nothing left to do: aggregates have decided all commands
// that came to them through the log, from streams and from each other, and what follows from their
// events is done. So an app whose other streams have ended has finished.
//
// Threading: any thread; blocks, as it asks the log.
#pragma once

#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/stream/topology.hpp"

namespace kappa::detail {

/// Of all stages that follow aggregates (topology). Deadlines that are still to come do not count.
[[nodiscard]] result<bool> at_rest(const topology& t, event_log& log);

/// Whether the app has other stages besides: without them there is always somebody who may ask.
[[nodiscard]] bool may_finish_at_rest(const topology& t);

}  // namespace kappa::detail
