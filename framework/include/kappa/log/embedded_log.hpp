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
  /// Address space reserved for the map, bytes; doubles when full.
  std::uint64_t map_bytes = std::uint64_t{64} << 30;
  static constexpr std::uint64_t min_map_bytes = std::uint64_t{1} << 20;
  static constexpr std::uint64_t max_map_bytes = std::uint64_t{16} << 40;
  /// A batch is cut into frames of at most this size, bytes (a larger record has one of its own).
  std::size_t frame_bytes = 64 << 10;
  static constexpr std::size_t min_frame_bytes = 1 << 10;
  static constexpr std::size_t max_frame_bytes = 16 << 20;
  bool read_only = false;
  log_sink log = no_log;
};

/// Opens or makes the log in `folder`. errc::corrupt: the file is shorter than its last used page,
/// or not a log's. errc::incompatible: of another format version (named). errc::not_found:
/// read_only and nothing there. errc::io names the path. A read-only log refuses all that writes
/// with errc::invalid_argument.
[[nodiscard]] result<std::shared_ptr<event_log>> open_embedded_log(
    const embedded_log_options& options);

}  // namespace kappa
