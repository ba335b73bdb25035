// One new idea: an aggregate, whose commands are decided one after the other and whose events are
// its truth. A till: deposits and withdrawals on the command line.
//
//   ./aggregate FOLDER ACCOUNT +100 -30 …
//
// Run it twice: the account is as it was left.
#include <cstdint>
#include <cstdlib>
#include <string>

#include <fmt/format.h>

#include "account.hpp"
#include "kappa/kappa.hpp"

namespace {

// [app]
kappa::app till_app() {
  kappa::app app{"till"};
  app.aggregate<account>("accounts");  // its events are in the topic "accounts"
  return app;
}
// [/app]

// [again]
// By its id a command happens once, however often it is asked.
template <class C>
kappa::ask_result ask_until_answered(kappa::host& host, const std::string& name, const C& command) {
  const kappa::ask_options options{.id = kappa::new_command_id()};
  auto done = host.ask<account>(name, command, options);
  for (int more = 2; more > 0 && !done && done.error().may_be_asked_again(); --more)
    done = host.ask<account>(name, command, options);
  return done;
}
// [/again]

int complain(const std::string& why) {
  fmt::print(stderr, "error: {}\n", why);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: {} FOLDER ACCOUNT +CENTS -CENTS …\n", argv[0]);
    return 2;
  }
  const std::string folder = argv[1];
  const std::string name = argv[2];
  kappa::host host{till_app(), {.log = "lmdb:" + folder + "/log", .state = folder + "/state"}};
  if (auto started = host.start(); !started) return complain(started.error().text());

  if (auto opened = host.ask<account>(name, open_account{}); !opened)
    return complain(opened.error().text());
  for (int i = 3; i < argc; ++i) {
    const std::int64_t cents = std::atoll(argv[i]);
    // [ask]
    const auto done = cents < 0 ? ask_until_answered(host, name, withdraw{-cents})
                                : ask_until_answered(host, name, deposit{cents});
    if (done) {  // durable
      fmt::print("{}: done, version {}\n", argv[i], done->version);
    } else if (const auto* why = done.error().rejected()) {
      fmt::print("{}: rejected, {}\n", argv[i], why->reason);
    } else {
      return complain(done.error().text());
    }
    // [/ask]
  }

  // [query]
  const auto found = host.query<account>(name);
  if (!found) return complain(found.error().text());
  fmt::print("{}: {} cents, version {}\n", name, found->value->state.balance_cents,
             found->value->version);
  // [/query]
  if (auto stopped = host.stop(); !stopped) return complain(stopped.error().text());
  return 0;
}
