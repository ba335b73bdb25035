// Whether what the brokers have answered to a commit has come true.
//
// The answer says that the commit is decided, not that the partitions know. A broker that dies in
// between may leave them without the end of the transaction when it comes up
// (hanging_transactions.hpp), and the next one that is aborted there would take with it what was
// answered: records lost, positions of later epochs kept. So a commit counts once its offsets are
// seen and none of its partitions is held by it any more; else its outcome is unknown, like that of
// one without an answer.
//
// Where another producer's transaction lies open in front of it, nobody can tell. It is not waited
// for, since that may take as long as the brokers let a dead process's transaction lie: such a
// commit counts too, but whoever sent it remembers it and looks again (settled_producer).
//
// Threading: plain functions; they block: for a round trip for each group and one more, as a rule.
#pragma once

#include "kafka/admin.hpp"
#include "kafka/sent_commit.hpp"

namespace kappa::kafka {

/// Where others' transactions hide it. errc::indefinite: not seen, or not in time.
[[nodiscard]] result<record_begins> see_commit(admin& ask, const sent_commit& sent);
/// The same of records alone.
[[nodiscard]] result<record_begins> see_records(admin& ask, record_begins begins);

/// The tasks that it moves. (What has no metadata is for lag tools, and goes with its topic.)
[[nodiscard]] std::vector<topic_partition> tasks_of(const group_commit& c);

enum class fate_of_offsets { unsettled, came_true, others_are_there };
[[nodiscard]] result<fate_of_offsets> look_at_offsets(admin& ask, const group_commit& sent);

}  // namespace kappa::kafka
