// Which records of a topic a command shows: from where, how many, of which partition.
//
// Threading: one thread; it blocks on the disk.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "decoding.hpp"
#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"
#include "walk.hpp"

namespace kappa::tools {

struct selection {
  std::string topic;
  std::string from{};  // earliest, latest, an offset, a time; empty: the last `count`
  std::optional<std::uint64_t> count{};  // with `from`: the first ones from there; default 10
  std::optional<std::int32_t> only{};    // partition
  bool follow = false;
  /// What counts; the others are passed over.
  std::function<bool(const record_view&)> wanted;
};

/// Calls `show` for each; false ends it. Returns the command's exit code, after saying what went
/// wrong. errc::not_found of the topic names the nearest one.
[[nodiscard]] int show_records(event_log& log, const selection& what,
                               const std::function<result<bool>(const topic_walk::found&)>& show);

/// The topic; errc::not_found names the nearest one.
[[nodiscard]] result<topic_config> find_topic(event_log& log, const std::string& name);

}  // namespace kappa::tools
