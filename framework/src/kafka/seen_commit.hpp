// Whether what the brokers have answered to a commit has come true.
//
// The answer says that the commit is decided, not that the partitions know. A broker that dies in
// between may leave them without the end of the transaction when it comes up
// (hanging_transactions.hpp), and the next one that is aborted there would take with it what was
// answered: records lost, positions of later epochs kept. So a commit counts once its offsets are
// seen; else its outcome is unknown, like that of one without an answer.
//
// Threading: a plain function; blocks: for a round trip for each group, as a rule.
#pragma once

#include <vector>

#include "kafka/admin.hpp"
#include "kafka/transactional_producer.hpp"

namespace kappa::kafka {

/// errc::indefinite: not seen, or not in time. Offsets and records of a transaction are taken to
/// have one fate.
[[nodiscard]] result<void> see_commit(
    admin& ask, const std::vector<transactional_producer::group_commit>& commits);

}  // namespace kappa::kafka
