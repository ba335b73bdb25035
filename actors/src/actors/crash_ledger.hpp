// Blame for deaths by user code's own fault.
//
// An async-signal-safe handler on an alternate stack notes (task, input, offset, operator) in a
// mapped file when the process dies of SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGABRT within a step.
// SIGKILL, power loss and lack of memory leave no note, so they never count.
//
// Threading: steps may run on any thread; one ledger is installed in a process at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "kappa/core/error.hpp"
#include "kappa/task/task.hpp"

namespace kappa::detail {

class crash_ledger : public step_watcher {
 public:
  /// Opens or makes the file. An unreadable one begins anew.
  [[nodiscard]] static result<std::unique_ptr<crash_ledger>> open(
      const std::filesystem::path& file);

  /// Deaths at the inputs of a task's stage and partition.
  [[nodiscard]] virtual std::vector<crash_suspect> suspects(const task_id& id) const = 0;
};

}  // namespace kappa::detail
