// What the commands that work on the files of a log share.
//
// Threading: plain functions.
#pragma once

#include <filesystem>
#include <string>

#include "kappa/core/damage.hpp"
#include "kappa/core/error.hpp"

namespace kappa {
class json_writer;
}

namespace kappa::tools {

/// The folder of "lmdb:FOLDER", as `option` names it. errc::bad_config: another kind of log, which
/// has no files here, or no folder.
[[nodiscard]] result<std::filesystem::path> log_folder(const std::string& url,
                                                       const std::string& option);

/// {"topic", "partition", "from", "to"}; `to` is the first offset behind it, null: to the end.
void write_range(json_writer& out, const offset_range& range);

}  // namespace kappa::tools
