// Transactions that the brokers hold for over, and that are not.
//
// A broker that comes up does not know all leaders yet, takes partitions for deleted, and ends a
// transaction of before without its markers there (Kafka 4.4.0, seen after each second kill of a
// single broker: "Couldn't find leader endpoint for partitions … can be skipped"). What is left
// there is open for ever: readers of what is committed stop in front of it, offsets stay unstable
// (UNSTABLE_OFFSET_COMMIT). Worse: the marker of the same producer's next transaction there would
// end both, and so commit what was aborted.
//
// So whoever opens a transactional id first ends what hangs: by a transaction of the same producer
// that touches those partitions and is aborted.
//
// Threading: a plain function; blocks.
#pragma once

#include <string>
#include <vector>

#include "kafka/admin.hpp"
#include "kafka/transactional_producer.hpp"

namespace kappa::kafka {

/// `producer` is new; `owned`: all topics of its app. What another process's producer has open
/// looks the same from here, and stays as it is: then an aborted record is written in vain.
[[nodiscard]] result<void> end_hanging_transactions(admin& ask, transactional_producer& producer,
                                                    const std::vector<topic_config>& owned);

}  // namespace kappa::kafka
