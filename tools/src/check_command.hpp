// `kappa check`: verifies a log and the states that were made from it.
//
// Threading: one thread.
#pragma once

namespace CLI {
class App;
}

namespace kappa::tools {

/// Adds the command (and the hidden one that its second process runs). When it was the one that
/// was asked for, `exit_code` becomes: 0 healthy, 1 damage found, 2 usage, 3 the log cannot be
/// opened at all.
void add_check_command(CLI::App& app, int& exit_code);

}  // namespace kappa::tools
