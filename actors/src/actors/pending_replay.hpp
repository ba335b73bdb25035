// Replays that were accepted and are not done: kept in the metadata of the app's admin position, so
// that they are carried out over crashes.
//
// Threading: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kappa/core/bytes.hpp"
#include "kappa/core/strong.hpp"

namespace kappa::detail {

/// How far the replay of one task is. The numbers are stored.
enum class rebuild_step : std::uint8_t {
  waiting = 0,  // the old state may still be there
  erased = 1,   // it is gone: opening the task replays
  done = 2,
  failed = 3
};

struct pending_replay {
  offset at;  // of the request: its name among the actors
  std::string id;
  std::string stage;
  std::int32_t first = 0;  // partition of steps[0]
  std::vector<rebuild_step> steps;

  [[nodiscard]] bool settled() const;  // every task is done or failed
};

[[nodiscard]] bytes encode_pending(const std::vector<pending_replay>& all);
/// Nothing: malformed.
[[nodiscard]] std::optional<std::vector<pending_replay>> decode_pending(bytes_view in);

}  // namespace kappa::detail
