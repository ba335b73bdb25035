// Reading up to a known end, on any log: what is there is waited for.
//
// A log on this machine gives at once what it has. One that is read over a network fetches in the
// background, so that a read may find nothing at hand although the partition goes on: right for an
// actor, which is called when there is more, wrong for a caller that wants all records up to here.
//
// Threading: as log_reader; blocks.
#pragma once

#include <chrono>
#include <memory>

#include "kappa/log/event_log.hpp"

namespace kappa {

/// How long a partition that has more may give nothing.
inline constexpr std::chrono::milliseconds patience_with_log{60'000};

/// reader.read(from, max_bytes), but while `from < until` and nothing is at hand it waits:
/// `next()` of what it gives is past `from`. errc::timed_out (retriable) after
/// `patience_with_log`. `until` must not be past what the log has.
[[nodiscard]] result<read_batch> wait_and_read(log_reader& reader, offset from, offset until,
                                               std::size_t max_bytes);

}  // namespace kappa
