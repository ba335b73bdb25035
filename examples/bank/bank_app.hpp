// The bank: accounts, transfers between them, and statements.
#pragma once

#include <string>

#include "account.hpp"
#include "kappa/kappa.hpp"
#include "statement.hpp"
#include "transfer.hpp"

namespace bank {

// [app]
inline kappa::app bank_app() {
  kappa::app app{"bank"};
  app.aggregate<account>("accounts");
  app.aggregate<transfer>("transfers");
  app.events<account>("accounts")
      .already_keyed(&kappa::event_of<account>::key)
      .fold<statement>("statements", &statement::add);
  return app;
}
// [/app]

inline std::string account_name(std::uint64_t n) { return "acc-" + std::to_string(n); }

}  // namespace bank
