// A text file that is there whole or not at all, also after a power cut.
#pragma once

#include <filesystem>
#include <string_view>

#include "kappa/kappa.hpp"

namespace flights {

/// Writes `text` to `file`.tmp, fsyncs it, gives it its name and fsyncs the folder. When the disk
/// does not take it (errc::io or no_space, naming the file), an older `file` is as it was, and no
/// .tmp is left. Several processes may write the same file: one after the other.
[[nodiscard]] kappa::result<void> write_whole_file(const std::filesystem::path& file,
                                                   std::string_view text);

}  // namespace flights
