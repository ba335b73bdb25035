#include "log/log_file.hpp"

#include <system_error>
#include <utility>

#include "lmdb/lmdb.hpp"
#include "log/embedded_layout.hpp"

namespace kappa::detail {

result<std::unique_ptr<lmdb::file_snapshot>> open_log_file(
    const lmdb::file_snapshot_options& options) {
  auto snapshot = lmdb::file_snapshot::open(options);
  if (snapshot || snapshot.error().code != errc::corrupt) return snapshot;
  auto e = std::move(snapshot.error());
  e.message +=
      ". What a log holds is found through them, so `kappa salvage` cannot help: put back a copy "
      "of the file, or move log and states away and start anew with what the sources still have";
  return fail(std::move(e));
}

result<void> look_at_log_file(const std::filesystem::path& folder, bool read_only) {
  const auto file = lmdb::data_file(folder);
  std::error_code ec;
  const auto size = std::filesystem::file_size(file, ec);
  // Nothing yet: LMDB makes it, or says so. That it may not be read is said best by LMDB, too.
  if (ec || (size == 0 && !read_only)) return {};
  lmdb::file_snapshot_options how;
  how.folder = folder;
  how.pin = false;
  // Both pages can only seem wrong at once while another process writes.
  constexpr int attempts = 4;
  for (int i = 1;; ++i) {
    auto snapshot = open_log_file(how);
    if (!snapshot && snapshot.error().code != errc::corrupt) return {};
    if (!snapshot && i < attempts) continue;
    if (!snapshot) return fail(std::move(snapshot.error()));
    const auto& s = **snapshot;
    const bool sound = s.faults().empty() && s.tree_faults().empty();
    if (!read_only || !sound || s.trees().contains(table::meta)) return {};
    if (i < attempts) continue;
    return fail(errc::not_found, file.string(), "there is no log in it");
  }
}

}  // namespace kappa::detail
