// What a check found: which thing, what is wrong with it, and what mends it.
//
// Threading: plain values.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "kappa/core/strong.hpp"

namespace kappa {

/// Offsets of one partition.
struct offset_range {
  std::string topic;
  kappa::partition partition;
  offset from;
  /// The first offset behind it; nothing: up to the end, wherever that was.
  std::optional<offset> to;

  friend bool operator==(const offset_range&, const offset_range&) = default;
  /// "orders[3]@812" for one offset, "orders[3]@812-840" for more, "orders[3]@812-" to the end.
  [[nodiscard]] std::string text() const;
};

struct damage {
  /// Names the thing: "orders[3]@812-840", "shop/sums.g1[0] counts 17", "page 12".
  std::string subject;
  std::string what;
  /// Where in the log, when it is a place in it.
  std::optional<offset_range> range{};

  [[nodiscard]] std::string text() const { return subject + ": " + what; }
};

/// Called for what is being looked at: "orders[3]@812". On the caller's thread.
using progress_fn = std::function<void(const std::string& subject)>;

}  // namespace kappa
