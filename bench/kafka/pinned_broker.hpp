// A broker on a core of its own, this process on another.
//
// Threading: one thread, before it starts others. While it lives this thread, and all that it
// makes, stay on the program's core; then they may run where they could before.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kappa/log/event_log.hpp"
#include "support/kafka_broker.hpp"

namespace bench::kafka {

class pinned_broker {
 public:
  pinned_broker();
  ~pinned_broker();
  pinned_broker(const pinned_broker&) = delete;
  pinned_broker& operator=(const pinned_broker&) = delete;

  /// "HOST:PORT"
  [[nodiscard]] const std::string& address() const { return broker_->bootstrap(); }
  /// For --log.
  [[nodiscard]] std::string url() const { return "kafka://" + address(); }
  [[nodiscard]] std::shared_ptr<kappa::event_log> open_log() const;
  [[nodiscard]] bool has_own_protocol() const { return broker_->has_own_protocol(); }

 private:
  std::vector<int> cores_;
  std::optional<kappa::testing::kafka_broker> broker_;
};

}  // namespace bench::kafka
