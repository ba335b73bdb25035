// One new idea: a projection, a stream over what happens to aggregates, and how whoever has asked a
// command sees it there.
//
//   ./projection FOLDER ann=tea bob=coffee ann=coffee
#include <fmt/format.h>

#include "poll_app.hpp"

namespace {

int complain(const std::string& why) {
  fmt::print(stderr, "error: {}\n", why);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return complain("usage: projection FOLDER VOTER=CHOICE …");
  const std::string folder = argv[1];
  kappa::host host{poll::poll_app(),
                   {.log = "lmdb:" + folder + "/log", .state = folder + "/state"}};
  if (auto started = host.start(); !started) return complain(started.error().text());
  for (int i = 2; i < argc; ++i) {
    const std::string text = argv[i];
    const auto at = text.find('=');
    if (at == std::string::npos) return complain("expected VOTER=CHOICE: " + text);
    const auto name = text.substr(0, at);
    const auto choice = text.substr(at + 1);
    const auto done = host.ask<poll::voter>(name, poll::vote{choice});
    if (!done) return complain(done.error().text());
    // [query]
    const auto told = host.position_of<poll::voter>(name);  // behind what the answer rests on
    if (!told) return complain(told.error().text());
    const auto votes = host.query<std::int64_t>("tally", choice, {.at_least = *told});
    if (!votes) return complain(votes.error().text());
    // [/query]
    fmt::print("{}: {} for {}\n", name, votes->value.value_or(0), choice);
  }
  if (auto stopped = host.stop(); !stopped) return complain(stopped.error().text());
  return 0;
}
