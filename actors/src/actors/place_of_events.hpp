// Where the events of an aggregate are.
//
// Threading: any thread; blocks, as it asks the log.
#pragma once

#include "kappa/actors/host.hpp"

namespace kappa::detail {

/// `key`: encoded. errc::unavailable: the topic is not there yet.
[[nodiscard]] result<topic_partition> place_of_events(host& h, const stage_spec& stage,
                                                      bytes_view key);

/// Behind all of them that are in the log by now, and their neighbours'. errc::timed_out
/// (retriable): event_log::settled_end.
[[nodiscard]] result<record_address> end_of_events(host& h, const stage_spec& stage,
                                                   bytes_view key);

}  // namespace kappa::detail
