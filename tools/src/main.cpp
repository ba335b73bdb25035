#include "commands.hpp"

int main(int argc, char** argv) {
  using namespace kappa::tools;
  command_line line;
  add_topics(line);
  add_tail(line);
  add_status(line);
  add_get(line);
  add_replay(line);
  add_dead_letters(line);
  add_copy(line);
  add_check(line);
  add_salvage(line);
  add_erase_subject(line);
  add_schema(line);
  return line.run(argc, argv);
}
