// The file of an embedded log, seen without LMDB: for checking, salvage, and a look before it is
// opened.
//
// Threading: plain functions; they block on the disk.
#pragma once

#include <filesystem>
#include <memory>

#include "kappa/core/error.hpp"
#include "lmdb/file_snapshot.hpp"

namespace kappa::detail {

/// As lmdb::file_snapshot::open. Where neither of the first two pages can be used (errc::corrupt),
/// the error says what can still be done.
[[nodiscard]] result<std::unique_ptr<lmdb::file_snapshot>> open_log_file(
    const lmdb::file_snapshot_options& options);

/// Before LMDB opens a folder that is there: it makes a lock file beside whatever it finds.
/// errc::not_found: to be read only, but it holds no log; errc::corrupt as above.
[[nodiscard]] result<void> look_at_log_file(const std::filesystem::path& folder, bool read_only);

}  // namespace kappa::detail
