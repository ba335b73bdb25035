// The folder that the benchmarks write in: on a disk, with room, gone afterwards.
//
// The measuring is done by a child process. The parent waits and removes the folder, whatever
// became of the child; a folder that a killed parent left is removed by the next run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

namespace bench {

/// Runs `measure(folder)` in a child, in a new folder below `below`; gives the exit code. Throws
/// when `below` is on memory (an fsync there costs nothing) or has less room than `needed_bytes`.
/// Call before any thread is started.
[[nodiscard]] int run_in_work_folder(
    const std::filesystem::path& below, std::uint64_t needed_bytes,
    const std::function<int(const std::filesystem::path&)>& measure);

}  // namespace bench
