// One new idea: reminders in event time.
//
//   ./silence FOLDER anna 0 bertha 110 anna -
//
// reports a position of each ship at that minute of a day of long ago ("-": none), and says who is
// silent then.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <set>
#include <string>

#include <fmt/format.h>

#include "kappa/core/parse_number.hpp"
#include "ship.hpp"

namespace {

int complain(const std::string& what) {
  fmt::print(stderr, "error: {}\n", what);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4 || argc % 2 != 0) {
    fmt::print(stderr, "usage: {} FOLDER (SHIP MINUTE|-)…\n", argv[0]);
    return 2;
  }
  const std::string folder = argv[1];
  kappa::host_options options{.log = "lmdb:" + folder + "/log", .state = folder + "/state"};
  options.partitions = 1;  // whose event time is that of all ships
  kappa::host host{ships_app(), options};
  if (auto started = host.start(); !started) return complain(started.error().text());
  std::set<std::string> names;
  for (int i = 2; i + 1 < argc; i += 2) {
    names.insert(argv[i]);
    if (std::string{argv[i + 1]} == "-") continue;
    std::uint32_t minute = 0;
    if (!kappa::parse_number(argv[i + 1], minute))
      return complain(std::string{argv[i + 1]} + ": is no minute");
    const kappa::timestamp at{std::chrono::minutes{minute}};
    const auto done = host.ask<ship>(argv[i], report_position{at});
    if (!done) return complain(done.error().text());
  }
  for (const auto& name : names) {
    const auto found = host.query<ship>(name, {.linearizable = true});
    if (!found) return complain(found.error().text());
    const bool silent = !found->value || found->value->state.silent;
    fmt::print("{}: {}\n", name, silent ? "silent" : "was heard of");
  }
  if (auto stopped = host.stop(); !stopped) return complain(stopped.error().text());
  return 0;
}
