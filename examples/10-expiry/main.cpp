// One new idea: aggregates that are deleted, by a command or by time.
//
//   ./expiry FOLDER ada tea            puts tea into ada's cart
//   ./expiry FOLDER ada                shows it
//   ./expiry FOLDER ada --discard      deletes it
//   ./expiry FOLDER ada --wait         waits for what happens to it next: it expires
#include <chrono>
#include <cstdio>
#include <string>

#include <fmt/format.h>

#include "cart.hpp"

namespace {

using found_cart = kappa::result<kappa::answer<kappa::aggregate_entry<cart>>>;

int complain(const std::string& what) {
  fmt::print(stderr, "error: {}\n", what);
  return 1;
}

found_cart find(kappa::host& host, const std::string& name) {
  auto found = host.query<cart>(name);
  while (!found && found.error().retriable) found = host.query<cart>(name);  // it replays
  return found;
}

found_cart wait(kappa::host& host, const std::string& name) {
  auto found = find(host, name);
  if (!found || !found->value) return found;
  // [wait]
  const auto next = found->value->version + 1;  // the version of a cart that is gone goes on
  return host.query<cart>(name, {.timeout = std::chrono::minutes{1}, .at_least_version = next});
  // [/wait]
}

int show(const std::string& name, const found_cart& found) {
  if (!found) return complain(found.error().text());
  // [show]
  if (!found->value) {
    fmt::print("{}: no cart\n", name);
    return 0;
  }
  // [/show]
  std::string all;
  for (const auto& item : found->value->state.items) all += (all.empty() ? "" : ", ") + item;
  fmt::print("{}: {}\n", name, all);
  return 0;
}

int add(kappa::host& host, const std::string& name, const std::string& item) {
  const auto done = host.ask<cart>(name, add_item{item});
  if (!done) return complain(done.error().text());
  fmt::print("{}: added {}, version {}\n", name, item, done->version);
  return 0;
}

int run(kappa::host& host, const std::string& name, const std::string& what) {
  if (what.empty()) return show(name, find(host, name));
  if (what == "--wait") return show(name, wait(host, name));
  if (what != "--discard") return add(host, name, what);
  if (const auto done = host.ask<cart>(name, discard{}); !done)
    return complain(done.error().text());
  return show(name, find(host, name));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    fmt::print(stderr, "usage: {} FOLDER NAME [ITEM | --discard | --wait]\n", argv[0]);
    return 2;
  }
  const std::string folder = argv[1];
  kappa::host host{carts_app(), {.log = "lmdb:" + folder + "/log", .state = folder + "/state"}};
  if (auto started = host.start(); !started) return complain(started.error().text());
  if (const auto failed = run(host, argv[2], argc > 3 ? argv[3] : ""); failed != 0) return failed;
  if (auto stopped = host.stop(); !stopped) return complain(stopped.error().text());
  return 0;
}
