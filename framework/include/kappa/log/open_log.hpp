// From the command line's `--log` to a log: "lmdb:data", "memory:", "kafka://HOST:PORT".
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "kappa/core/logger.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa {

struct open_log_options {
  std::string url = "lmdb:data";
  std::size_t frame_bytes = 64 << 10;
  bool read_only = false;
  /// Of Kafka: librdkafka's own settings, and where this instance keeps who it is (kafka_log.hpp).
  std::map<std::string, std::string> kafka_settings{};
  std::filesystem::path instance_folder{};
  std::chrono::milliseconds session_timeout{10'000};  // also of transactions
  int replication = 0;  // copies of topics that are created; 0: what the brokers say
  log_sink log = no_log;
};

/// errc::bad_config names the unknown scheme and lists the known ones.
[[nodiscard]] result<std::shared_ptr<event_log>> open_log(const open_log_options& options);

}  // namespace kappa
