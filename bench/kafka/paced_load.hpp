// A plain producer that writes so many events a second, each with the moment it was made in it.
//
// Threading: one thread of its own, from the constructor to the destructor. Errors: what ends it is
// thrown by `check`.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <string>
#include <thread>

#include "events.hpp"
#include "kafka/plain_client.hpp"

namespace bench::kafka {

using moment = std::chrono::steady_clock::time_point;

void stamp(event& e, moment now);
/// When a message was made: an event that was stamped, or what was made of one.
[[nodiscard]] moment stamped(const rd_kafka_message_t& m);

class paced_load {
 public:
  struct plan {
    std::string topic;
    std::int32_t partitions = 1;
    std::uint32_t keys = 1;
    int per_second = 1000;
  };
  paced_load(const std::string& address, plan p);
  ~paced_load();
  paced_load(const paced_load&) = delete;
  paced_load& operator=(const paced_load&) = delete;

  void check() const {
    if (ended_) std::rethrow_exception(failed_);
  }

 private:
  void run();
  void send(std::uint32_t key);

  plan plan_;
  handle producer_;
  topic_handle topic_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> ended_ = false;  // then `failed_` is there
  std::exception_ptr failed_;
  std::thread thread_;
};

}  // namespace bench::kafka
