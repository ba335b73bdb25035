// The ceilings: what somebody writes by hand who knows librdkafka and this one job.
//
//  - read: one consumer in a group, all partitions by one queue, in batches; looks at each key and
//    value. Its offsets are committed every 100 ms, in the background.
//  - count: the same consumer, a flat hash map from the record's key (counts.hpp), an update for
//    each record to the same partition of the output, by whole batches; every 100 ms the offsets go
//    into the transaction, and it is committed. The thread waits for the commit meanwhile, as such
//    a loop does; what the client's own threads fetch and send goes on.
//  - count, the same records: each update has the event's time and the headers that the engine's
//    has (schema and cause), and is produced by itself, since batches carry neither.
//
// What the engine does and they do not: no undo of a failed record, no dead letters, no state that
// outlives the process, no check of what is fetched (check.crcs).
//
// Threading: the calling thread; librdkafka has its own.
#pragma once

#include <string>

#include "measure.hpp"

namespace bench::kafka {

struct loop_job {
  std::string address;  // of the broker
  std::string input;
  std::int64_t events = 0;  // how many it has
  std::string group;
};

/// From the first record's arrival to the end; CPU time of all threads of the process.
[[nodiscard]] spent read_by_hand(const loop_job& job);

enum class updates { bare, as_the_engines };
/// Until the last transaction is committed.
[[nodiscard]] spent count_by_hand(const loop_job& job, const std::string& output, updates form);

}  // namespace bench::kafka
