// `kappa salvage`: copies what is sound of a damaged log into a new folder.
//
// Threading: one thread.
#pragma once

namespace CLI {
class App;
}

namespace kappa::tools {

/// Adds the command. When it was the one that was asked for, `exit_code` becomes: 0 all was copied,
/// 1 something is missing, 2 usage, 3 the log cannot be opened or the copy not be written.
void add_salvage_command(CLI::App& app, int& exit_code);

}  // namespace kappa::tools
