// Notices that a process which had the wake file open has ended. One that was killed between its
// commit and its bump would leave the others asleep beside new records.
//
// Threading: one thread of its own, asleep in poll. Ownership: the wake file must outlive it.
#pragma once

#include <filesystem>
#include <memory>
#include <thread>

#include "kappa/core/error.hpp"
#include "log/wake_file.hpp"

namespace kappa::detail {

class death_watch {
 public:
  /// Bumps `wake` whenever a process lets go of the file at `path`, dying or not.
  [[nodiscard]] static result<std::unique_ptr<death_watch>> start(const std::filesystem::path& path,
                                                                  wake_file& wake);
  ~death_watch();
  death_watch(const death_watch&) = delete;
  death_watch& operator=(const death_watch&) = delete;

 private:
  explicit death_watch(wake_file& wake) : wake_{wake} {}
  void run();

  wake_file& wake_;
  int events_ = -1;  // inotify
  int stop_ = -1;    // eventfd
  std::thread thread_;
};

}  // namespace kappa::detail
