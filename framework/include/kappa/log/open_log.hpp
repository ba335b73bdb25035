// From the command line's `--log` to a log: "lmdb:data", "memory:".
#pragma once

#include <memory>
#include <string>

#include "kappa/core/logger.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa {

struct open_log_options {
  std::string url = "lmdb:data";
  std::size_t frame_bytes = 64 << 10;
  bool read_only = false;
  log_sink log = no_log;
};

/// errc::bad_config names the unknown scheme and lists the known ones.
[[nodiscard]] result<std::shared_ptr<event_log>> open_log(const open_log_options& options);

}  // namespace kappa
