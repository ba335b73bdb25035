// Waiting for records of topics, for Ctrl-C, and for the end of the reader of standard output.
//
// Threading: the main thread. Make it before anything that starts threads: they must not take the
// signals.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa::tools {

class follower {
 public:
  follower();
  ~follower();
  follower(const follower&) = delete;
  follower& operator=(const follower&) = delete;

  /// The reader must outlive the follower.
  [[nodiscard]] result<void> watch(log_reader& reader);

  enum class news { records, reader_gone, interrupted, terminated };
  /// Blocks until there may be records, since the last call too, or it is over.
  [[nodiscard]] news wait();
  /// Whether it is over, without waiting; `records` says that it is not.
  [[nodiscard]] news look();

 private:
  [[nodiscard]] news poll(int timeout_ms);

  int signals_ = -1;
  std::shared_ptr<int> bell_;  // an eventfd; outlives a call of the log
  std::vector<std::unique_ptr<subscription>> subscriptions_;
};

/// 0 when the reader has seen enough, 130 and 143 as the shell says it of signals.
[[nodiscard]] int exit_code_of(follower::news n);

}  // namespace kappa::tools
