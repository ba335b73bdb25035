// Several processes of an app on one machine with the same flags: each takes a slot of the state
// folder, the first that is free, and keeps its identity and its state there. So a process that
// comes back finds its own.
//
// Threading: plain value. Ownership: the slot is held by a lock that the operating system lets go of
// when the process dies.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "kappa/core/error.hpp"

namespace kappa {

class instance_slot {
 public:
  /// `who`: for the one who asks later ("pid 4711"). `name`: that slot and no other; errc::owned
  /// when it is taken.
  [[nodiscard]] static result<instance_slot> take(const std::filesystem::path& state,
                                                  const std::string& who,
                                                  const std::string& name = {});
  instance_slot(instance_slot&&) noexcept;
  instance_slot& operator=(instance_slot&&) noexcept;
  ~instance_slot();

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

 private:
  struct lock;
  instance_slot(std::filesystem::path folder, std::unique_ptr<lock> held);
  std::filesystem::path folder_;
  std::unique_ptr<lock> held_;
};

}  // namespace kappa
