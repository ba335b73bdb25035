// Named places at which a test kills the process or makes a step fail.
//
// They do nothing unless the CMake option KAPPA_FAILPOINTS is on: an installed Kappa has none. That
// is decided in failpoint.cpp alone, so that all else is compiled once for tests and release
// (ccache). The list of names is the enumeration of every step of commit, snapshot, append, replay
// and ingest: a test fails when a name has no crash trial.
//
// Threading: `hit` may be called from any thread. Armed from the environment:
//   KAPPA_FAILPOINT=name[:n]     SIGKILL at the n-th hit (default 1)
//   KAPPA_FAILPOINT_MARK=file    the name is written there first: this point did it, nothing else
//   KAPPA_FAILPOINT_SIGNAL=n     another signal (SIGTERM, SIGSTOP), after which it goes on;
//                                0: the thread stays there for ever while the others go on
//   KAPPA_FAILPOINT_COUNTS=file  counts all hits: one hit_count for each name, in the list's order,
//                                kept over restarts, as it is a mapped file
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace kappa::failpoint {

/// All names, in the order of one record's way.
[[nodiscard]] const std::vector<std::string_view>& names();

/// What is in the file of KAPPA_FAILPOINT_COUNTS; times are CLOCK_MONOTONIC, nanoseconds.
struct hit_count {
  std::uint64_t hits = 0;
  std::int64_t first_ns = 0;
  std::int64_t last_ns = 0;
};

/// Deliberate faults that the checker must catch, one at a time: KAPPA_BREAK=name.
///   t2-before-t1   the snapshot does not wait for its T1, and P_s > P_c is accepted
///   t2-mixed       the snapshot has the state of epoch e and the positions of e - 1
///   no-muted-gap   what lies between the state's position and the committed one is live
///   late-is-end    a read that finds nothing yet counts as the end of what the log has
///   no-fsync       LMDB's commits do not wait for the disk
///   no-folder-fsync  that a new environment has a name does not wait for the disk
///   no-dedup       a command's id is not looked up
///   no-tail        an aggregate's events behind its state are not read at the start
///   no-confirmation  a linearizable query does not wait for a T1
///   no-fencing     Kafka is not told of which generation of the group a T1 is
[[nodiscard]] bool broken(std::string_view name);

/// Kills the process when armed for `name` and this is the n-th hit. `name` must be listed.
void hit(std::string_view name);

/// For simulations on one thread: called at every hit; it may throw, as if the process ended there.
void set_observer(std::function<void(std::string_view)> observer);

}  // namespace kappa::failpoint
