// Where copies of states are kept, outside of the machines that have them: a folder, of a mounted
// store or of one machine; for an object store derive from this.
//
// A savepoint is a state as of one snapshot. It is there whole or not at all, and never changes.
//
// Threading: any thread, also of several processes at a time. Ownership: shared.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/strong.hpp"

namespace kappa {

struct savepoint {
  std::string state;  // whose: "flights/hourly-delays.g1/3"
  epoch_number epoch;
  std::string log_id;  // of the log that it was made from
  bytes snapshot;      // the task's record, as the state has it (snapshot_record.hpp)
  std::uint64_t file_bytes = 0;
  std::string name;  // the repository's own
};

class savepoint_repository {
 public:
  virtual ~savepoint_repository() = default;

  /// Copies `file`, durably. `what.name` and `what.file_bytes` are filled in here.
  [[nodiscard]] virtual result<void> put(savepoint what, const std::filesystem::path& file) = 0;
  /// Of the state, the newest first. What is damaged is left out.
  [[nodiscard]] virtual result<std::vector<savepoint>> list(const std::string& state) = 0;
  /// Makes `to`, which must not exist, of it. errc::corrupt: it is damaged; errc::not_found: it was
  /// removed meanwhile. `to` is then not there.
  [[nodiscard]] virtual result<void> get(const savepoint& what,
                                         const std::filesystem::path& to) = 0;
  /// Also when it is not there.
  [[nodiscard]] virtual result<void> remove(const savepoint& what) = 0;
  [[nodiscard]] virtual std::string name() const = 0;
};

/// Made when missing. `<folder>/<state>/<epoch>-<checksum>.mdb`, and beside each file what it is,
/// which is written last.
[[nodiscard]] result<std::shared_ptr<savepoint_repository>> open_savepoint_folder(
    const std::filesystem::path& folder);

}  // namespace kappa
