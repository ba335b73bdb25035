// Which orders to build their states anew the tasks of a stage have committed.
//
// Threading: a plain function; blocks on the log.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa::detail {

struct task_order {
  std::uint32_t ordered = 0;  // the last one
  std::uint32_t done = 0;     // the last one that was carried out
};
/// Without tasks that have committed nothing yet. errc::corrupt: malformed metadata.
[[nodiscard]] result<std::map<partition, task_order>> task_orders(event_log& log,
                                                                  const std::string& app,
                                                                  const std::string& stage,
                                                                  generation g);

}  // namespace kappa::detail
