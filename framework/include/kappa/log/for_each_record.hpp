// All records of a topic, for programs that want to look at results and for tools.
//
// Threading: as event_log; blocks on the disk.
#pragma once

#include <functional>
#include <string>

#include "kappa/log/event_log.hpp"

namespace kappa {

/// Calls `f` for each record of `topic` from the first retained one to where each partition ends
/// now: partition after partition, each in order. The view is valid inside `f` only. Stops at the
/// first error, which may be f's. errc::not_found: no such topic.
[[nodiscard]] result<void> for_each_record(
    event_log& log, const std::string& topic,
    const std::function<result<void>(const record_view&)>& f);

}  // namespace kappa
