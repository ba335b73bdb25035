// A plain consumer (read_committed) that notes when each record of an output was seen.
//
// Threading: a thread of its own reads; everything else on one thread. Errors: `check`.
#pragma once

#include <atomic>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "kafka/paced_load.hpp"

namespace bench::kafka {

class output_watch {
 public:
  /// From the first record on.
  output_watch(const std::string& address, const std::string& topic, std::int32_t partitions);
  ~output_watch();
  output_watch(const output_watch&) = delete;
  output_watch& operator=(const output_watch&) = delete;

  void check() const;
  [[nodiscard]] std::int64_t count() const;
  /// When the first record of an event was seen that was made after `from`.
  [[nodiscard]] std::optional<moment> first_made_after(std::int32_t partition, moment from) const;
  /// The longest time without a record, up to `to`.
  [[nodiscard]] double longest_gap_ms(std::int32_t partition, moment from, moment to) const;

 private:
  struct sight {
    moment seen;
    moment made;
  };
  void run();

  plain_consumer consumer_;
  mutable std::mutex mutex_;
  std::vector<std::vector<sight>> sights_;  // of each partition
  std::exception_ptr failed_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace bench::kafka
