// The same accounts, asked from another process than the one that runs them.
//
//   ./teller FOLDER ACCOUNT +100 -30 …
#include <cstdlib>
#include <string>

#include <fmt/format.h>

#include "till.hpp"

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: {} FOLDER ACCOUNT +CENTS -CENTS …\n", argv[0]);
    return 2;
  }
  const std::string folder = argv[1];
  const std::string name = argv[2];
  // [client]
  auto log = kappa::open_log({.url = "lmdb:" + folder + "/log"});
  if (!log) return complain(log.error().text());
  auto client = kappa::aggregate_client::open(*log, till_app());
  if (!client) return complain(client.error().text());
  // [/client]
  if (auto opened = ask_until_answered(**client, name, open_account{}); !opened)
    return complain(opened.error().text());
  for (int i = 3; i < argc; ++i) {
    const auto done = move_cents(**client, name, std::atoll(argv[i]));
    if (done) {
      fmt::print("{}: done, version {}\n", argv[i], done->version);
    } else {
      fmt::print("{}: {}\n", argv[i], done.error().text());
    }
  }
  return 0;
}
