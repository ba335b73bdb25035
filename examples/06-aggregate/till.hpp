// The app that both programs know, and how they ask.
#pragma once

#include <cstdint>
#include <string>

#include <fmt/format.h>

#include "account.hpp"
#include "kappa/kappa.hpp"

// [app]
inline kappa::app till_app() {
  kappa::app app{"till"};
  app.aggregate<account>("accounts",  // its events are in the topic "accounts"
                         {.publishes = {kappa::published<large_withdrawal>("large-withdrawals")}});
  return app;
}
// [/app]

// [again]
// By its id a command happens once, however often it is asked. The asker: a host, or a client.
template <class C>
kappa::ask_result ask_until_answered(kappa::aggregate_asker& asker, const std::string& name,
                                     const C& command) {
  const kappa::ask_options options{.id = kappa::new_command_id()};
  auto done = asker.ask<account>(name, command, options);
  for (int more = 2; more > 0 && !done && done.error().may_be_asked_again(); --more)
    done = asker.ask<account>(name, command, options);
  return done;
}
// [/again]

inline int complain(const std::string& why) {
  fmt::print(stderr, "error: {}\n", why);
  return 1;
}

/// Plus or minus so many cents.
inline kappa::ask_result move_cents(kappa::aggregate_asker& asker, const std::string& name,
                                    std::int64_t cents) {
  return cents < 0 ? ask_until_answered(asker, name, withdraw{-cents})
                   : ask_until_answered(asker, name, deposit{cents});
}
