// What the actors say to each other. Batches and closures of work, never single events; payloads
// are local, so they go by pointer.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/type_id.hpp>

#include "actors/pending_replay.hpp"
#include "kappa/actors/host.hpp"
#include "kappa/aggregate/inbox.hpp"
#include "kappa/caf.hpp"
#include "kappa/task/runnable.hpp"

namespace kappa::detail {

struct seal_request;  // command_port.hpp

using task_ptr = std::shared_ptr<runnable_task>;

/// Task → lane: commit this. `life` tells one opening of a task from the next.
struct submit_epoch {
  epoch_ptr epoch;
  caf::actor from;
  std::uint64_t life = 0;
};
/// Lane → task: T1 is durable.
struct epoch_committed {
  epoch_number number;
  std::uint64_t life = 0;
  std::vector<offset> bases;
};
/// Task → lane: drop what of this life is still waiting; then, once no commit is in doubt, say so.
struct forget_epochs {
  caf::actor from;
  std::uint64_t life = 0;
};
struct epochs_forgotten {
  std::uint64_t life = 0;
};
/// Task → state thread: T2.
struct write_snapshot {
  task_ptr task;
  std::shared_ptr<state_delta> delta;
  caf::actor from;
  std::uint64_t life = 0;
  bool of_replay = false;  // more of the log's past is still to come
};
struct snapshot_written {
  std::uint64_t life = 0;
  std::optional<error> failed;
};
/// What opens a task, now and after every failure. All of it blocks.
struct task_opener {
  std::function<result<std::unique_ptr<runnable_task>>()> open;
  /// Why its state cannot be built anew. It may run meanwhile.
  std::function<result<void>()> check_rebuild;
  /// Its state: only when the check has just passed, and while it is not open.
  std::function<result<void>()> erase;
  /// Where commands wait for it. Null: it takes none.
  std::shared_ptr<command_inbox> commands{};
};
/// Task → state thread: open the task. `rebuild`: its state is erased first, unless the log has not
/// what it takes.
struct open_request {
  std::string task;
  task_opener opener;
  bool rebuild = false;
  caf::actor from;
  std::uint64_t life = 0;
};
struct task_opened {
  std::uint64_t life = 0;
  task_ptr task;
  bool rebuilt = false;
  std::optional<error> refused;  // it cannot be rebuilt; nothing was touched
  std::optional<error> failed;
};
/// Admin → task: build the state anew, and tell how that goes. Tasks answer `from` with
/// state_rebuilt; a later request takes the place of an earlier one.
struct rebuild_state {
  offset request;
  bool erase = true;  // false: that is done, only tell when the replay is over
  caf::actor from;
};
/// Admin → task, where tasks move between processes: as runnable_task::order_rebuild. Lost while
/// the task is not open: whoever asked sees that, and asks again.
struct order_rebuild {
  std::uint32_t order = 0;
};
struct state_rebuilt {
  offset request;
  partition task;
  rebuild_step step = rebuild_step::waiting;
  std::optional<error> failed;
};
/// Host → task of a stage that keeps state.
struct read_request {
  bytes from;               // the key, or the beginning of the range
  std::optional<bytes> to;  // none: one key
  std::size_t limit = 0;
  query_options options;
  timestamp until = max_time;  // by the host's clock: then nobody waits for the answer
  std::promise<result<state_entries>> answer;
};
/// `orderly`: commit, then snapshot. `hand_over`: commit and no more, another process goes on with
/// the task. `lost`: another one has it already, drop what is not committed.
enum class stop_kind { orderly, hand_over, lost };
struct stop_request {
  stop_kind kind = stop_kind::orderly;
  std::promise<result<void>> done;
};

using submit_ptr = std::shared_ptr<submit_epoch>;
using committed_ptr = std::shared_ptr<epoch_committed>;
using forget_ptr = std::shared_ptr<forget_epochs>;
using forgotten_ptr = std::shared_ptr<epochs_forgotten>;
using write_ptr = std::shared_ptr<write_snapshot>;
using written_ptr = std::shared_ptr<snapshot_written>;
using open_ptr = std::shared_ptr<open_request>;
using opened_ptr = std::shared_ptr<task_opened>;
using rebuild_ptr = std::shared_ptr<rebuild_state>;
using order_ptr = std::shared_ptr<order_rebuild>;
using rebuilt_ptr = std::shared_ptr<state_rebuilt>;
using read_ptr = std::shared_ptr<read_request>;
using stop_ptr = std::shared_ptr<stop_request>;
using seal_ptr = std::shared_ptr<seal_request>;

}  // namespace kappa::detail

// What is the program's to know is in kappa/caf.hpp.
CAF_BEGIN_TYPE_ID_BLOCK(kappa_inside, ::kappa::first_type_id + 10)
CAF_ADD_TYPE_ID(kappa_inside, (kappa::detail::submit_ptr))
CAF_ADD_TYPE_ID(kappa_inside, (kappa::detail::committed_ptr))
CAF_ADD_TYPE_ID(kappa_inside, (kappa::detail::forget_ptr))
CAF_ADD_TYPE_ID(kappa_inside, (kappa::detail::forgotten_ptr))
CAF_ADD_TYPE_ID(kappa_inside, (kappa::detail::write_ptr))
CAF_ADD_TYPE_ID(kappa_inside, (kappa::detail::written_ptr))
CAF_ADD_TYPE_ID(kappa_inside, (kappa::detail::open_ptr))
CAF_ADD_TYPE_ID(kappa_inside, (kappa::detail::opened_ptr))
CAF_ADD_TYPE_ID(kappa_inside, (kappa::detail::rebuild_ptr))
CAF_ADD_TYPE_ID(kappa_inside, (kappa::detail::order_ptr))
CAF_ADD_TYPE_ID(kappa_inside, (kappa::detail::rebuilt_ptr))
CAF_ADD_TYPE_ID(kappa_inside, (kappa::detail::read_ptr))
CAF_ADD_TYPE_ID(kappa_inside, (kappa::detail::stop_ptr))
CAF_ADD_TYPE_ID(kappa_inside, (kappa::detail::seal_ptr))
CAF_ADD_ATOM(kappa_inside, kappa::detail, drain_atom)   // there may be something to do
CAF_ADD_ATOM(kappa_inside, kappa::detail, tick_atom)    // a deadline may have passed
CAF_ADD_ATOM(kappa_inside, kappa::detail, flush_atom)   // lane: commit what has come together
CAF_ADD_ATOM(kappa_inside, kappa::detail, reopen_atom)  // the backoff is over
CAF_END_TYPE_ID_BLOCK(kappa_inside)
static_assert(caf::id_block::kappa::end <= caf::id_block::kappa_inside::begin);
static_assert(caf::id_block::kappa_inside::end <= kappa::last_type_id + 1);

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kappa::detail::submit_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kappa::detail::committed_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kappa::detail::forget_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kappa::detail::forgotten_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kappa::detail::write_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kappa::detail::written_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kappa::detail::open_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kappa::detail::opened_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kappa::detail::rebuild_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kappa::detail::order_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kappa::detail::rebuilt_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kappa::detail::read_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kappa::detail::stop_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kappa::detail::seal_ptr)
