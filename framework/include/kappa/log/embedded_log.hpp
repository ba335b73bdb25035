// The embedded log on LMDB: no server, durable, shared by several processes of one machine.
//
// A commit is on disk when it returns (fsync; NOSYNC is used nowhere). Records are stored as
// checksummed frames, one sub-database for each partition. See docs/decisions for the layout.
//
// Threading: as event_log. One instance per folder in a process (a registry by device and inode
// hands out the same environment).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "kappa/core/logger.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa {

struct embedded_log_options {
  std::filesystem::path folder = "data";
  /// Address space reserved for the map; grows when full. 1 GiB … 16 TiB.
  std::uint64_t map_bytes = std::uint64_t{64} << 30;
  /// Records are put together into frames of about this size, bytes. 1 KiB … 16 MiB.
  std::size_t frame_bytes = 64 << 10;
  bool read_only = false;
  log_sink log = no_log;
};

/// Opens or makes the log in `folder`. errc::corrupt when the file is shorter than its last used
/// page or of another format version (named); errc::io with the path otherwise.
[[nodiscard]] result<std::shared_ptr<event_log>> open_embedded_log(const embedded_log_options& options);

}  // namespace kappa
