// Keys in one file: for the embedded log, where one process has the app.
//
// A header, then slots of 512 bytes, one for each subject that ever had a key, or was erased
// before. A slot is written in place and synced, never moved, so that an erased key is overwritten
// where it was. (On file systems that copy on write, and inside of SSDs, old blocks may live on:
// see docs/how-to/erase-personal-data.md.)
//
// Threading: any thread. Ownership: one process at a time, by a lock of the file.
#pragma once

#include <filesystem>
#include <memory>

#include "kappa/core/error.hpp"
#include "kappa/keys/key_store.hpp"

namespace kappa {

/// Makes the file where there is none, readable for its owner alone. errc::owned: another process
/// has it; errc::corrupt: it is none, or a slot is damaged. Blocks.
[[nodiscard]] result<std::shared_ptr<key_store>> open_file_key_store(
    const std::filesystem::path& file);

}  // namespace kappa
