// Whether the aggregates of an app have decided all commands that came to them through the log,
// from streams and from each other: those of an app whose streams have ended have then finished,
// too.
//
// Threading: any thread; blocks, as it asks the log.
#pragma once

#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/stream/topology.hpp"

namespace kappa::detail {

/// Deadlines that are still to come do not count.
[[nodiscard]] result<bool> aggregates_at_rest(const topology& t, event_log& log);

/// Whether the app has streams besides: without them there is always somebody who may ask.
[[nodiscard]] bool aggregates_may_finish(const topology& t);

}  // namespace kappa::detail
