// The commands of `kappa`; each has a file of its own.
//
// Threading: the main thread.
#pragma once

#include "command_line.hpp"

namespace kappa::tools {

void add_topics(command_line& line);
void add_tail(command_line& line);
void add_status(command_line& line);
void add_get(command_line& line);
void add_replay(command_line& line);
void add_dead_letters(command_line& line);
/// Verifies a log and the states made from it; also a hidden command, its second process.
void add_check(command_line& line);
/// Moves apps and topics to another log.
void add_copy(command_line& line);
/// Compares two versions of a schema.
void add_schema(command_line& line);
/// Copies what is sound of a damaged log.
void add_salvage(command_line& line);
/// Deletes the key of personal fields.
void add_erase_subject(command_line& line);

}  // namespace kappa::tools
