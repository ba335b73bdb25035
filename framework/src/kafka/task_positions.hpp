// A task's positions as the metadata of its committed offset: all inputs in one value, because the
// brokers forget offsets of topics that a live group does not subscribe to.
//
// Kafka keeps metadata as text, at most 4 KiB as a rule:
//
//   kappa1 APP LIFE            whose, and which life of a process moved them last
//   OFFSET METADATA INPUT      a line for each input; METADATA and INPUT in base64, METADATA "-":
//   none
//
// Threading: plain functions.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "kappa/log/event_log.hpp"

namespace kappa::kafka {

struct task_positions {
  std::string life;
  std::string app;  // names of apps and stages may hold dots, so a group's name does not tell
  std::map<std::string, committed_position> inputs;
  friend bool operator==(const task_positions&, const task_positions&) = default;
};

/// Kafka's default for offset.metadata.max.bytes: what `encode` may take.
inline constexpr std::size_t max_positions_bytes = 4096;

[[nodiscard]] std::string encode(const task_positions& p);
[[nodiscard]] std::optional<task_positions> decode_task_positions(const std::string& metadata);

}  // namespace kappa::kafka
