// All records of a topic or a partition that are there now, for all who want no more than that.
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

/// The same of one partition, from `from` or the first retained one on, until `f` says false.
/// Gives where to go on: behind the record of which f said false, else where the partition ended.
[[nodiscard]] result<offset> for_each_record(
    event_log& log, const topic_partition& where, offset from,
    const std::function<result<bool>(const record_view&)>& f);

/// The same with a reader of that log, for who looks at one partition again and again.
[[nodiscard]] result<offset> for_each_record(
    event_log& log, log_reader& reader, offset from,
    const std::function<result<bool>(const record_view&)>& f);

/// Behind the last record that is in the partition by now, once every transaction that has begun is
/// over (event_log::settled_end): on Kafka the marks that transactions leave come after it. The
/// first retained offset: there is no record.
[[nodiscard]] result<offset> end_of_records(event_log& log, const topic_partition& where);

/// Whether a record is at this offset of a partition that is settled up to `settled`, behind it.
[[nodiscard]] result<bool> has_record_at(event_log& log, const topic_partition& where, offset at,
                                         offset settled);

}  // namespace kappa
