// Who waits for new records, and the thread that wakes them: it sleeps on the wake file, finds out
// which partitions have grown, and calls. Started at the first subscription.
//
// Threading: any thread. Ownership: subscriptions must go before it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "kappa/core/logger.hpp"
#include "log/death_watch.hpp"
#include "log/embedded_store.hpp"
#include "log/wake_file.hpp"

namespace kappa::detail {

class subscribers {
 public:
  subscribers(embedded_store& store, wake_file& wake, std::filesystem::path wake_path, log_sink log)
      : store_{store}, wake_{wake}, wake_path_{std::move(wake_path)}, log_{std::move(log)} {}
  ~subscribers();

  /// The first call comes at once, so that what was appended before is not missed.
  [[nodiscard]] std::unique_ptr<subscription> add(std::shared_ptr<const open_partition> where,
                                                  std::function<void()> on_data);

 private:
  struct entry;
  class handle;
  void start();
  void run();
  void call_those_with_news();

  embedded_store& store_;
  wake_file& wake_;
  std::filesystem::path wake_path_;
  log_sink log_;

  std::mutex mutex_;
  std::vector<std::shared_ptr<entry>> entries_;
  std::thread thread_;
  std::unique_ptr<death_watch> deaths_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> stopped_ = false;
};

}  // namespace kappa::detail
