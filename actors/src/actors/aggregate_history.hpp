// What has happened to one aggregate: its events, read from the log.
//
// Threading: any thread; blocks on the log. A log has no index by key, so the key's partition is
// read from `from` on.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kappa/actors/host.hpp"

namespace kappa::detail {

struct history_question {
  const stage_spec* stage = nullptr;  // an aggregate's
  bytes key;
  offset from;
  std::size_t limit = 0;  // events
  std::chrono::milliseconds time{0};
};

struct past_event {
  std::uint64_t version = 0;
  timestamp time;
  std::string type;  // the schema's name
  offset position;   // in the partition of the events
  std::string json;
};

struct aggregate_history {
  std::vector<past_event> events;
  offset next;          // where to go on
  bool at_end = false;  // there was no more
};

/// Not what the state has, but what the log has: it may be ahead of a query by an epoch.
[[nodiscard]] result<aggregate_history> read_history(host& h, const history_question& q);

}  // namespace kappa::detail
