// A power loss: what was written and not synced is taken back, all of it or a random part.
//
// A disk writes sectors whole, and in any order. Of each sector written since the last sync of its
// file it has any one of the versions since then; of a file's size, too; of a folder's names, those
// up to any change since the folder was synced.
//
// Threading: one thread; no process may be running any more. Errors: end the process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace kappa::crash::power {

enum class loss_mode {
  all,      // nothing that was not synced is there
  sectors,  // each sector by itself: torn pages, later writes without earlier ones
  pages,    // each 4 KiB page by itself, never torn
  prefix,   // all up to some write, nothing after: a disk that keeps the order
};
inline constexpr loss_mode all_loss_modes[] = {loss_mode::all, loss_mode::sectors, loss_mode::pages,
                                               loss_mode::prefix};
[[nodiscard]] std::string_view name_of(loss_mode mode);

struct loss_report {
  std::uint64_t writes = 0;      // of the processes' life
  std::uint64_t syncs = 0;       // of files and of folders
  std::uint64_t unsynced = 0;    // sectors that were written and not synced; mappings not counted
  std::uint64_t lost = 0;        // of these, those that were taken back
  std::uint64_t lost_names = 0;  // created, renamed, removed
};

/// What the shim keeps for some folders.
class power_supply {
 public:
  /// `journal` is made anew; `watched` may not exist yet. All on one file system, canonical.
  power_supply(std::filesystem::path journal, const std::vector<std::filesystem::path>& watched);

  /// For a process that is to lose its power with the others.
  [[nodiscard]] std::vector<std::string> environment() const;
  /// Steps (writes, syncs, changes of names) since the last loss.
  [[nodiscard]] std::uint64_t steps() const;

  /// All processes are dead. What is left is durable.
  loss_report lose(loss_mode mode, std::mt19937_64& rng);

 private:
  std::filesystem::path journal_;
  std::string watched_;
};

}  // namespace kappa::crash::power
