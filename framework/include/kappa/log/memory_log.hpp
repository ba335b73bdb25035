// A log in memory, for tests: the same contract, with faults on demand.
//
// Threading: as event_log; it has no thread of its own: subscribers are called on the thread that
// appended, after the append is done. Ownership: shared by everything that is "the same log";
// "restarting a process" in a test means dropping readers and writers and keeping this object.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kappa/log/event_log.hpp"

namespace kappa {

/// What a commit meets. Set before the commit; each is used up by one commit.
enum class commit_fault {
  none,
  abort,              // refused, retriable, nothing written
  indefinite_lost,    // errc::indefinite, and nothing was written
  indefinite_applied  // errc::indefinite, and everything was written
};

class memory_log : public event_log {
 public:
  /// Decides the fate of each commit; called without locks held, may block (to hold a commit back).
  using fault_fn = std::function<commit_fault(const log_transaction&)>;

  [[nodiscard]] static std::shared_ptr<memory_log> create(std::string id = "memory-log");

  virtual void set_commit_fault(fault_fn fault) = 0;
  /// Flips one bit in the frame that holds `tp`@`at`, so that the next read reports it.
  virtual void damage(const topic_partition& tp, offset at) = 0;
  /// Deletes all before `first`, as retention would.
  virtual void truncate_before(const topic_partition& tp, offset first) = 0;
  /// Lets the next open_writer of `app` have it although a writer is open, as if the lock were
  /// lost: the older writer is fenced from then on.
  virtual void lose_lock(const std::string& app) = 0;
  /// Makes the next `gap` offsets of `tp` unused, as Kafka's transaction markers do.
  virtual void skip_offsets(const topic_partition& tp, std::int64_t gap) = 0;
};

}  // namespace kappa
