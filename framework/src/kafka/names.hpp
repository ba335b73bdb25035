// What things of an app are called on Kafka.
//
// Threading: plain functions.
#pragma once

#include <string>
#include <vector>

#include <fmt/format.h>

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
/// The group that holds how far an outside producer is.
[[nodiscard]] inline std::string producer_group(const std::string& producer) {
  return "kappa.producer." + producer;
}
/// Who owns which topic.
inline constexpr const char* topics_topic = "kappa.topics";

}  // namespace kappa::kafka
