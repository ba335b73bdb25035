// How an app lies on a log: which topics there are, with how many partitions, and so how many
// tasks each stage has.
//
// Threading: plain values; `lay_out` blocks (it creates topics).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/stream/topology.hpp"
#include "kappa/task/command_routes.hpp"
#include "kappa/task/epoch_builder.hpp"
#include "kappa/task/input_clock.hpp"

namespace kappa {

struct layout_options {
  /// Partitions of the topics that the app creates, 1 … 1024. Fixed once they exist.
  std::int32_t partitions = 4;
  /// Create topics from outside that do not exist (tests); otherwise they are an error.
  bool create_inputs = false;
  std::size_t max_record_bytes = log_limits::default_max_record_bytes;
};

struct stage_layout {
  std::int32_t tasks = 1;
  std::vector<port_layout> ports;
  /// For each input: who writes it; empty for topics from outside.
  std::vector<std::vector<upstream>> writers;
  std::int32_t reply_partitions = 0;             // of an aggregate: of the app's topic of replies
  std::shared_ptr<const command_routes> routes;  // to all aggregates of the app
};

using app_layout = std::map<std::string, stage_layout>;  // by stage

/// Creates what is missing and checks what is there. errc::bad_config names topic and mend: a
/// missing input, a compacted events topic, another partition count, inputs that are not
/// co-partitioned, a topic of another app. errc::refused_start, before anything is created:
/// check_history_readable.
[[nodiscard]] result<app_layout> lay_out(const topology& t, event_log& log,
                                         const layout_options& options);

/// How long commands in the log wait for somebody who decides them, and replies for whoever asked,
/// unless the topics say otherwise.
inline constexpr milliseconds commands_retention = std::chrono::hours{7 * 24};
inline constexpr milliseconds replies_retention = std::chrono::hours{1};

/// How long requests to an app and their replies are kept, unless the topics say otherwise.
inline constexpr milliseconds admin_retention = std::chrono::hours{7 * 24};

/// Which requests the app has answered; the metadata has what is under way.
[[nodiscard]] position_key admin_position(const std::string& app);

/// The topics of admin messages, made and checked as above. What is there keeps its retention.
[[nodiscard]] result<void> lay_out_admin(const topology& t, event_log& log);

}  // namespace kappa
