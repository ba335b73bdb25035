// A worker (worker.hpp) as a child, and what it has told of its tasks.
//
// Threading: a thread of its own listens; everything else on one thread. Ownership: it is ended
// with this object.
#pragma once

#include <csignal>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "kafka/paced_load.hpp"
#include "kafka/worker.hpp"
#include "support/child_process.hpp"

namespace bench::kafka {

class worker_process {
 public:
  explicit worker_process(const worker_options& o);
  ~worker_process();
  worker_process(const worker_process&) = delete;
  worker_process& operator=(const worker_process&) = delete;

  /// SIGKILL.
  void kill() { child_.kill(SIGKILL); }
  /// Throws when it has ended by itself.
  void check() const;
  /// Partitions whose tasks are live in it.
  [[nodiscard]] std::set<std::int32_t> live_tasks() const;
  /// When something first changed with that task, after `from`.
  [[nodiscard]] std::optional<moment> touched(std::int32_t partition, moment from) const;
  /// When it first said that the task is live, after `from`.
  [[nodiscard]] std::optional<moment> became_live(std::int32_t partition, moment from) const;

 private:
  struct change {
    moment at;
    std::int32_t partition;
    std::string word;
  };
  void listen();

  kappa::testing::child_process child_;
  mutable std::mutex mutex_;
  std::vector<change> changes_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace bench::kafka
