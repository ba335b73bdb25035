// A state folder for one run: of a log in memory, whose state cannot outlive it.
//
// It stands in the folder that --state names, is locked while the run lives, and is removed at its
// end; what a killed run left is removed by the next one.
//
// Threading: one owner.
#pragma once

#include <filesystem>

#include "kappa/core/error.hpp"

namespace kappa::detail {

class passing_state {
 public:
  /// Errors: errc::io, naming the folder.
  [[nodiscard]] static result<passing_state> make(const std::filesystem::path& in);
  passing_state(passing_state&& other) noexcept;
  passing_state& operator=(passing_state&&) = delete;
  ~passing_state();

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

 private:
  passing_state(std::filesystem::path folder, int lock) : folder_{std::move(folder)}, lock_{lock} {}

  std::filesystem::path folder_;
  int lock_;
};

}  // namespace kappa::detail
