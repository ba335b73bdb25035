// The bank: accounts, and transfers between them.
#pragma once

#include <string>

#include "account.hpp"
#include "kappa/kappa.hpp"
#include "transfer.hpp"

namespace bank {

// [app]
inline kappa::app bank_app() {
  kappa::app app{"bank"};
  app.aggregate<account>("accounts");
  app.aggregate<transfer>("transfers");
  return app;
}
// [/app]

inline std::string account_name(std::uint64_t n) { return "acc-" + std::to_string(n); }

}  // namespace bank
