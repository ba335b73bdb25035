// The other process in tests of check and salvage: damage_helper COMMAND [ARGUMENT…] FOLDER
//
//   read-for-check        what the second process of a check does
//   dies, hangs           a second process that says where it is, and dies or says no more
//   salvage N TO          salvages, and is killed when it tells of the Nth place
//   nobody TO             gives up its rights, then checks and salvages: says "healthy" or the
//                         damages, and "copied RECORDS"
#include <grp.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "kappa/log/check.hpp"
#include "kappa/log/salvage.hpp"

namespace {

using namespace kappa;

void say(const std::string& line) { std::cout << line << std::endl; }

int salvage(const std::string& from, const std::string& to, int kill_at) {
  salvage_options options;
  options.from = from;
  options.to = to;
  int told = 0;
  options.progress = [&](const std::string&) {
    if (++told == kill_at) ::raise(SIGKILL);
  };
  const auto report = salvage_log(options);
  if (!report) {
    say(report.error().text());
    return 1;
  }
  say("copied " + std::to_string(report->records));
  return 0;
}

int nobody(const std::string& from, const std::string& to) {
  constexpr uid_t id = 65534;
  if (::geteuid() == 0 &&
      (::setgroups(0, nullptr) != 0 || ::setgid(id) != 0 || ::setuid(id) != 0)) {
    return 2;
  }
  log_check_options options;
  options.folder = from;
  const auto report = check_log(options);
  if (!report) {
    say(report.error().text());
    return 1;
  }
  say(report->healthy() ? "healthy" : report->damages.front().text());
  return salvage(from, to, 0);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args{argv + 1, argv + argc};
  const auto& folder = args.back();
  if (args.at(0) == "read-for-check") return read_log_for_check(folder);
  if (args[0] == "salvage") return salvage(folder, args.at(2), std::stoi(args.at(1)));
  if (args[0] == "nobody") return nobody(folder, args.at(1));
  say("at orders[1]@5");
  if (args[0] == "dies") std::abort();
  if (args[0] == "hangs") {
    for (;;) ::pause();
  }
  return 2;
}
