// What opens the tasks of an app, now and after every failure.
//
// Threading: made on one thread; the openers that it gives run on any. Ownership: what is given
// refers to `ledger` and `pulse`, which must outlive it, and shares the rest.
#pragma once

#include <filesystem>
#include <memory>

#include "actors/crash_ledger.hpp"
#include "actors/messages.hpp"
#include "actors/step_pulse.hpp"
#include "kappa/actors/host.hpp"

namespace kappa::detail {

class task_openers {
 public:
  /// `of`, `layout` and `state` (the app's folder) must outlive it.
  task_openers(const host_options& of, std::shared_ptr<const topology> topology,
               std::shared_ptr<event_log> log, const app_layout& layout,
               std::filesystem::path state, std::shared_ptr<savepoint_repository> savepoints,
               std::shared_ptr<key_ring> keys)
      : options_{of},
        topology_{std::move(topology)},
        log_{std::move(log)},
        layout_{layout},
        state_{std::move(state)},
        savepoints_{std::move(savepoints)},
        keys_{std::move(keys)} {}

  /// Of a task that keeps a state; nobody watches its steps.
  [[nodiscard]] task_options options_of(const stage_spec& stage, partition p) const;
  /// `ledger`: null where none is kept.
  [[nodiscard]] task_opener of(const stage_spec& stage, partition p, const crash_ledger* ledger,
                               step_pulse& pulse) const;

 private:
  [[nodiscard]] task_opener of_aggregate(const stage_spec& stage, const task_id& id,
                                         std::vector<crash_suspect> suspects,
                                         step_pulse& pulse) const;
  [[nodiscard]] task_opener of_source(const stage_spec& stage, const task_id& id,
                                      std::vector<crash_suspect> suspects, step_pulse& pulse) const;

  const host_options& options_;
  std::shared_ptr<const topology> topology_;
  std::shared_ptr<event_log> log_;
  const app_layout& layout_;
  std::filesystem::path state_;
  std::shared_ptr<savepoint_repository> savepoints_;  // null: none
  std::shared_ptr<key_ring> keys_;                    // null: none
};

}  // namespace kappa::detail
