// The distributed log: Apache Kafka, by librdkafka.
//
// Positions are committed offsets of the group `<app>.<stage>.g<generation>` on its tasks topic;
// commits are Kafka transactions; readers read committed records only. Records of other clients are
// read as they are. A record whose time Kafka cannot carry (before 1970-01-01T00:00:00.001Z) has it
// in the header `kappa.time`, which readers take off again.
//
// Threading: as event_log.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "kappa/core/logger.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa {

struct kafka_log_options {
  /// "HOST:PORT,HOST:PORT"
  std::string brokers;
  /// Settings of librdkafka by its own names ("security.protocol"), for all connections. May hold
  /// secrets: values are never logged or named in errors. "group.protocol" = "consumer" has the
  /// brokers place the tasks (KIP-848): the session time-out is then set there.
  std::map<std::string, std::string> settings;
  /// Where this instance keeps who it is; empty: it is a new one each time.
  std::filesystem::path instance_folder;
  /// How long the brokers wait for a silent process before they give its tasks to others, and
  /// before they abort its transactions.
  std::chrono::milliseconds session_timeout{10'000};
  std::chrono::milliseconds transaction_timeout{10'000};
  /// Copies of the topics that are created here; 0: what the brokers say.
  int replication = 0;
  log_sink log = no_log;
  /// The wall clock; empty: the machine's. Compared with the brokers' when the first writer is
  /// opened.
  std::function<timestamp()> clock{};
  /// More than this apart, and the app does not start.
  std::chrono::milliseconds clock_tolerance = std::chrono::minutes{5};
};

/// errc::unavailable: no broker answers (names what the connection said); errc::bad_config: a
/// setting that librdkafka does not take; errc::incompatible: too old a broker. Blocks.
[[nodiscard]] result<std::shared_ptr<event_log>> open_kafka_log(const kafka_log_options& options);

}  // namespace kappa
