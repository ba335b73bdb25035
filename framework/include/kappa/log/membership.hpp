// Which tasks of an app a process has, where the log spreads them over processes (Kafka's groups).
//
// The log gives a task to one process at a time: it is `given` here only when whoever had it before
// has said that it is done, or was fenced.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kappa/core/error.hpp"
#include "kappa/core/strong.hpp"

namespace kappa {

struct task_place {
  std::string stage;
  partition task;
  friend auto operator<=>(const task_place&, const task_place&) = default;
  friend bool operator==(const task_place&, const task_place&) = default;
};

/// A process that takes part in running an app.
struct app_process {
  std::string id;        // no other process of the app has it
  std::string instance;  // what it called itself when it joined first under this id: "pid 4711"
  std::string host;      // its address, as the brokers see it
  std::vector<task_place> tasks{};
};

/// Told by the log, on a thread of its own; must not block.
class placement_listener {
 public:
  virtual ~placement_listener() = default;
  /// Run it: from the position in the log.
  virtual void given(const task_place& task) = 0;
  /// End it, and call `done` (on any thread) when it writes no more. `lost`: it is another's
  /// already, so that what is not committed cannot be; else what is under way should be committed,
  /// within about a second.
  virtual void taken(const task_place& task, bool lost, std::function<void()> done) = 0;
  /// This process is out for good (errc::fenced: another one has its identity).
  virtual void failed(const error& e) = 0;
};

/// Leaves when destroyed, which blocks; the tasks must have ended. A process that is known by name
/// (instance_folder) keeps its tasks for the session time-out, in case it comes back.
class membership {
 public:
  virtual ~membership() = default;
  /// By which event_log::processes tells this process from the others.
  [[nodiscard]] virtual const std::string& process() const = 0;
};

}  // namespace kappa
