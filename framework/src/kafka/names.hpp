// What things of an app are called on Kafka.
//
// Threading: plain functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "kappa/core/parse_number.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa::kafka {

/// The consumer group of a stage: Kafka's own tools show its lag.
[[nodiscard]] inline std::string group_of(const std::string& app, const std::string& stage,
                                          generation g) {
  return fmt::format("{}.{}.g{}", app, stage, g);
}
/// The topic that stands for its tasks: owning partition n is owning task n. It has no records; the
/// committed offset's metadata are the task's positions.
[[nodiscard]] inline std::string tasks_topic(const std::string& app, const std::string& stage,
                                             generation g) {
  return group_of(app, stage, g) + ".tasks";
}
[[nodiscard]] inline bool is_tasks_topic(const topic_config& c) {
  return !c.owner.empty() && c.name.ends_with(".tasks");
}
[[nodiscard]] inline std::string group_of_tasks(const std::string& tasks_topic) {
  return tasks_topic.substr(0, tasks_topic.rfind('.'));
}
[[nodiscard]] inline std::vector<topic_partition> partitions_of(const topic_config& t) {
  std::vector<topic_partition> all;
  for (std::int32_t n = 0; n < t.partitions; ++n) all.push_back({t.name, partition{n}});
  return all;
}
/// What a member of a stage's group calls itself: who it is, and which program (0: it does not
/// say). A name of its own for each program: the brokers keep what a static member said of itself
/// first.
[[nodiscard]] inline std::string member_name(const std::string& who, std::uint64_t fingerprint) {
  return fingerprint == 0 ? who : fmt::format("{}.{:016x}", who, fingerprint);
}
/// The two parts of it; no fingerprint: it is none.
[[nodiscard]] inline std::pair<std::string, std::optional<std::uint64_t>> parts_of_member_name(
    const std::string& name) {
  const auto dot = name.rfind('.');
  std::uint64_t fingerprint = 0;
  if (dot == std::string::npos || name.size() - dot != 17) return {name, std::nullopt};
  if (!parse_number(std::string_view{name}.substr(dot + 1), fingerprint, 16)) {
    return {name, std::nullopt};
  }
  return {name.substr(0, dot), fingerprint};
}
/// The group that holds how far an outside producer is.
[[nodiscard]] inline std::string producer_group(const std::string& producer) {
  return "kappa.producer." + producer;
}
/// Who owns which topic.
inline constexpr const char* topics_topic = "kappa.topics";

}  // namespace kappa::kafka
