#include "check_command.hpp"
#include "commands.hpp"
#include "salvage_command.hpp"

int main(int argc, char** argv) {
  using namespace kappa::tools;
  command_line line;
  add_topics(line);
  add_tail(line);
  add_status(line);
  add_get(line);
  add_replay(line);
  add_dead_letters(line);
  add_check_command(line.root(), line.exit_code());
  add_salvage_command(line.root(), line.exit_code());
  return line.run(argc, argv);
}
