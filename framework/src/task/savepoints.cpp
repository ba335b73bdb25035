#include "kappa/task/savepoints.hpp"

#include <fmt/format.h>

#include "kappa/core/folders.hpp"
#include "kappa/state/snapshot_record.hpp"

namespace kappa {

namespace fs = std::filesystem;

std::string savepoint_state(const task_id& t) {
  return fmt::format("{}/{}.g{}/{}", t.app, t.stage, t.generation, t.partition);
}

result<bool> take_savepoint(state_store& store, savepoint_repository& to, const fs::path& work) {
  const auto& who = store.identity();
  const auto state = savepoint_state({who.app, who.stage, who.generation, who.task});
  auto all = to.list(state);
  if (!all) return fail(all.error());
  std::vector<savepoint> ours, others;  // of logs, or of topics, that were there before
  for (auto& s : *all) (s.log_id == who.log_id ? ours : others).push_back(std::move(s));
  if (!ours.empty() && ours.front().epoch >= store.epoch()) return false;
  std::error_code ec;
  fs::remove_all(work, ec);  // what a process that died has left
  if (auto made = make_folders(work); !made) return fail(made.error());
  auto snapshot = store.copy_to(work);
  if (!snapshot) return fail(snapshot.error());
  const auto record = decode_snapshot(*snapshot);
  if (!record) return fail(errc::corrupt, state, "the state's snapshot record is malformed");
  if (!record->replaying) {
    savepoint s;
    s.state = state;
    s.epoch = record->epoch;
    s.log_id = who.log_id;
    s.snapshot = std::move(*snapshot);
    if (auto put = to.put(std::move(s), state_file(work)); !put) return fail(put.error());
    if (ours.size() >= savepoints_kept)
      others.insert(others.end(), ours.begin() + savepoints_kept - 1, ours.end());
    for (const auto& old : others) {
      if (auto removed = to.remove(old); !removed) return fail(removed.error());
    }
  }
  fs::remove_all(work, ec);
  return !record->replaying;
}

result<std::optional<savepoint>> newest_usable(savepoint_repository& in,
                                               const recovery_facts& facts) {
  auto all = in.list(savepoint_state(facts.task));
  if (!all) return fail(all.error());
  for (auto& s : *all) {
    const auto record = decode_snapshot(s.snapshot);
    if (!record || s.log_id != facts.log_id || record->inputs.size() != facts.inputs.size())
      continue;
    if (record->rebuild < facts.rebuild_ordered)
      continue;  // of before the state was to be built anew
    auto with_it = facts;
    with_it.state_rebuild = record->rebuild;
    with_it.state_log_id = s.log_id;
    with_it.state_epoch = s.epoch;
    bool good = true;
    for (std::size_t i = 0; i < facts.inputs.size(); ++i) {
      auto& input = with_it.inputs[i];
      good = good && record->inputs[i] == input.name && record->positions[i] >= input.first;
      input.in_state = record->positions[i];
    }
    if (good && plan_recovery(with_it)) return std::optional{std::move(s)};
  }
  return std::optional<savepoint>{};
}

result<void> forget_savepoints(savepoint_repository& in, const task_id& task) {
  auto all = in.list(savepoint_state(task));
  if (!all) return fail(all.error());
  for (const auto& s : *all) {
    if (auto removed = in.remove(s); !removed) return removed;
  }
  return {};
}

result<void> bring_savepoint(savepoint_repository& from, const savepoint& what,
                             const fs::path& folder) {
  if (auto made = make_folders(folder); !made) return made;
  const auto part = folder / "savepoint.part";
  std::error_code ec;
  fs::remove(part, ec);
  if (auto got = from.get(what, part); !got) return got;
  if (auto erased = erase_state(folder); !erased) return erased;
  fs::rename(part, state_file(folder), ec);
  if (ec) return fail(errc::io, state_file(folder).string(), ec.message());
  return sync_folder(folder);
}

}  // namespace kappa
