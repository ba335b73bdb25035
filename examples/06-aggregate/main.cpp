// One new idea: an aggregate, whose commands are decided one after the other and whose events are
// its truth. A till: deposits and withdrawals on the command line.
//
//   ./aggregate FOLDER ACCOUNT +100 -30 …
//   ./aggregate FOLDER                       runs until its input ends; ask it with ./teller
//
// Run it twice: the account is as it was left.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <fmt/format.h>

#include "till.hpp"

namespace {

int move(kappa::host& host, const std::string& name, const char* text) {
  // [ask]
  const auto done = move_cents(host, name, std::atoll(text));
  if (done) {  // durable
    fmt::print("{}: done, version {}\n", text, done->version);
  } else if (const auto* why = done.error().rejected()) {
    fmt::print("{}: rejected, {}\n", text, why->reason);
  } else {
    return complain(done.error().text());
  }
  // [/ask]
  return 0;
}

int show(kappa::host& host, const std::string& name) {
  // [query]
  const auto found = host.query<account>(name);
  if (!found) return complain(found.error().text());
  fmt::print("{}: {} cents, version {}\n", name, found->value->state.balance_cents,
             found->value->version);
  // [/query]
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: {} FOLDER [ACCOUNT +CENTS -CENTS …]\n", argv[0]);
    return 2;
  }
  const std::string folder = argv[1];
  kappa::host host{till_app(), {.log = "lmdb:" + folder + "/log", .state = folder + "/state"}};
  if (auto started = host.start(); !started) return complain(started.error().text());
  if (argc == 2) {
    fmt::print("running\n");
    std::fflush(stdout);
    while (std::getchar() != EOF) continue;
  } else {
    const std::string name = argv[2];
    if (auto opened = host.ask<account>(name, open_account{}); !opened)
      return complain(opened.error().text());
    for (int i = 3; i < argc; ++i) {
      if (const auto failed = move(host, name, argv[i]); failed != 0) return failed;
    }
    if (const auto failed = show(host, name); failed != 0) return failed;
  }
  if (auto stopped = host.stop(); !stopped) return complain(stopped.error().text());
  return 0;
}
