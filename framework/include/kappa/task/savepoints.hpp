// A task's savepoints: taken after its snapshots, used when it starts where there is no state of
// its own that it could go on from.
//
// Threading: take on any thread while the store is open; newest_usable and bring on one that may
// block.
#pragma once

#include <filesystem>
#include <optional>

#include "kappa/state/savepoint_repository.hpp"
#include "kappa/state/state_store.hpp"
#include "kappa/task/epoch.hpp"
#include "kappa/task/recovery.hpp"

namespace kappa {

/// Of each task so many stay: the one before the last is for when that is damaged.
inline constexpr std::size_t savepoints_kept = 2;

/// "flights/hourly-delays.g1/3"
[[nodiscard]] std::string savepoint_state(const task_id& task);

/// Copies the state as of its last snapshot, by way of a file in `work`, a folder of its own.
/// False: there is nothing newer than the last savepoint, or the state is just being built.
[[nodiscard]] result<bool> take_savepoint(state_store& store, savepoint_repository& to,
                                          const std::filesystem::path& work);

/// The newest one that the task could go on from, given what the log has: with it in the place of
/// the state the recovery rules would not refuse the start.
[[nodiscard]] result<std::optional<savepoint>> newest_usable(savepoint_repository& in,
                                                             const recovery_facts& facts);

/// Before a state is built anew on purpose: what is there was made by what is being mended.
[[nodiscard]] result<void> forget_savepoints(savepoint_repository& in, const task_id& task);

/// Puts it in the place of the state in `folder`, whole or not at all. Nobody may have that open.
[[nodiscard]] result<void> bring_savepoint(savepoint_repository& from, const savepoint& what,
                                           const std::filesystem::path& folder);

}  // namespace kappa
