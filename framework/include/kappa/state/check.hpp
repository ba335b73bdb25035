// Verifies the state of one task, and compares it with the log that it was made from.
//
// As kappa/log/check.hpp: nothing is written, a damaged tree cannot crash or hang the check, and a
// state in use can be checked. A damaged state is no loss: it is rebuilt from the log.
//
// Threading: one thread for one check; it blocks, as long as reading the file takes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kappa/core/damage.hpp"
#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/state/state_store.hpp"

namespace kappa {

struct state_check_options {
  std::filesystem::path folder;  // of one task
  progress_fn progress{};
};

struct state_check_report {
  std::filesystem::path folder;
  std::optional<state_identity> identity;  // nothing when it cannot be read
  std::optional<epoch_number> epoch;       // of the last snapshot; nothing: there is none yet
  /// Of the last snapshot: input → next offset to read.
  std::vector<std::pair<std::string, offset>> positions;
  std::map<std::string, std::uint64_t> tables;  // name → entries
  std::uint64_t timers = 0;
  std::uint64_t pages = 0;
  bool changed_meanwhile = false;
  std::vector<damage> damages;

  [[nodiscard]] bool healthy() const { return damages.empty(); }
  /// "shop/sums.g1[0]", or the folder.
  [[nodiscard]] std::string name() const;
};

/// Errors are for what cannot be opened at all: errc::not_found, errc::io, errc::corrupt (no LMDB
/// file), errc::incompatible (a newer format, or no state). Damage is in the report.
[[nodiscard]] result<state_check_report> check_state(const state_check_options& options);

/// What of a log a state is compared with. Read it after the state, or a running app's state may
/// seem to be ahead.
struct log_facts {
  std::string id;
  std::map<position_key, committed_position> positions;
  std::map<topic_partition, partition_bounds> bounds{};
};
/// What is wrong between the two: another log's id, positions that are ahead of the log's; of an
/// aggregate's state, ahead of the log's end.
[[nodiscard]] std::vector<damage> compare(const state_check_report& state, const log_facts& log);

/// The folders of all tasks' states below `root`, in order.
[[nodiscard]] result<std::vector<std::filesystem::path>> find_states(
    const std::filesystem::path& root);

}  // namespace kappa
