// The app of an account.
#pragma once

#include <string>

#include "aggregate/bank.hpp"
#include "kappa/stream/app.hpp"

namespace bank {

inline kappa::app bank_app(const std::string& name = "bank",
                           const std::string& accounts = "accounts") {
  kappa::app a{name};
  a.aggregate<account>(accounts);
  return a;
}

}  // namespace bank
