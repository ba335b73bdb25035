// Members of a stage's group whose program is another one: two applications under one name. Each
// would take its share of the tasks and answer it in its own way.
//
// Threading: plain functions.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "kafka/admin.hpp"
#include "kafka/names.hpp"
#include "kappa/log/kafka_log.hpp"

namespace kappa::kafka {

/// Among members of any groups, one of the stage's. Null: there is none. Who does not say which
/// program it is, is none.
[[nodiscard]] inline const member_description* stranger_among(
    const std::vector<member_description>& members, const stage_tasks& stage) {
  if (stage.fingerprint == 0) return nullptr;
  const auto group = group_of(stage.app, stage.stage, stage.generation);
  for (const auto& m : members) {
    if (m.group == group && m.fingerprint && *m.fingerprint != stage.fingerprint) return &m;
  }
  return nullptr;
}

/// How long one that has ended may still be a member: its session, which is taken to be as long as
/// that of this process, a minute where nobody tells it, and at most.
[[nodiscard]] inline std::chrono::milliseconds lingering(
    std::optional<std::chrono::milliseconds> session) {
  constexpr std::chrono::milliseconds longer{2000};
  constexpr std::chrono::milliseconds most{60'000};
  return std::min(session.value_or(most), most) + longer;
}

[[nodiscard]] inline error two_programs(const stage_tasks& stage,
                                        const member_description& stranger) {
  return {errc::refused_start, "stage " + stage.stage,
          fmt::format("{} at {} runs a stage of this name too, but another one (fingerprint "
                      "{:016x}, here {:016x}): two applications under the name '{}', or two "
                      "versions at a time of which one cannot go on with the other's state. Give "
                      "this one a name of its own, or stop the other one first; if it has just "
                      "ended, wait until its session is over",
                      stranger.calls, stranger.host, stranger.fingerprint.value_or(0),
                      stage.fingerprint, stage.app)};
}

}  // namespace kappa::kafka
