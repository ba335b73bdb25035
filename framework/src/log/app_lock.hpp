// One owner of an app at a time: a lock file that the operating system lets go of when its
// process dies, however it dies.
//
// The lock is of the open file (F_OFD_SETLK): it holds between threads of a process too, and, other
// than flock's, it can be looked at without being taken, so that a look never keeps a host from
// starting.
//
// Threading: plain value. The file stays when the lock is let go of.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "kappa/core/error.hpp"

namespace kappa::detail {

class app_lock {
 public:
  /// Never waits: errc::owned names the holder (`instance` of the one who has it).
  [[nodiscard]] static result<app_lock> take(const std::filesystem::path& folder,
                                             const std::string& app, const std::string& instance);
  /// What the one who has it said of itself; nothing: nobody has it.
  [[nodiscard]] static result<std::optional<std::string>> holder(
      const std::filesystem::path& folder, const std::string& app);
  app_lock(app_lock&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  app_lock& operator=(app_lock&&) = delete;
  ~app_lock();

 private:
  explicit app_lock(int fd) : fd_{fd} {}
  int fd_ = -1;
};

}  // namespace kappa::detail
