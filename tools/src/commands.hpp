// The commands of `kappa` that look at an app; each has a file of its own.
#pragma once

#include "command_line.hpp"

namespace kappa::tools {

void add_topics(command_line& line);
void add_tail(command_line& line);
void add_status(command_line& line);
void add_get(command_line& line);
void add_replay(command_line& line);
void add_dead_letters(command_line& line);

}  // namespace kappa::tools
