// Standard output of a command: written at once, and quietly over when the reader has gone
// (`kappa tail … | head`).
//
// Threading: the main thread.
#pragma once

#include <string_view>

namespace kappa::tools {

/// False when nobody reads any more, or the disk is full: the command ends.
[[nodiscard]] bool put(std::string_view text);

}  // namespace kappa::tools
