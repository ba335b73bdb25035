// Folders that are still there after a loss of power: a file's name is durable only once its folder
// is synced, and the folder's own name only once the one above it is.
//
// Threading: plain functions, any thread. Errors: io, no_space, with the folder as subject.
#pragma once

#include <filesystem>

#include "kappa/core/error.hpp"

namespace kappa {

/// Makes it and what is missing above it; the names of those it made are durable when it returns.
[[nodiscard]] result<void> make_folders(const std::filesystem::path& folder);

/// The names in it are durable when it returns. One that may not be read, or whose file system has
/// no such thing, is left as it is: nothing in it was made here.
[[nodiscard]] result<void> sync_folder(const std::filesystem::path& folder);

}  // namespace kappa
