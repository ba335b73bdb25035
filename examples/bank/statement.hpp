// A statement: how an account came to its balance, made of the account's events.
#pragma once

#include <cstddef>
#include <string>

#include "account.hpp"
#include "kappa/kappa.hpp"

namespace bank {

// [statement]
struct statement : statement_fields {
  static constexpr std::size_t lines = 10;

  void add(const kappa::event_of<account>& e) {
    if (const auto* o = e.as<account_opened>()) enter(e.time, o->deposit_cents, "opened");
    if (const auto* d = e.as<deposited>()) enter(e.time, d->amount_cents, d->transfer);
    if (const auto* w = e.as<withdrawn>()) enter(e.time, -w->amount_cents, w->transfer);
  }

 private:
  void enter(kappa::timestamp time, std::int64_t amount, const std::string& why) {
    ++movements;
    balance_cents += amount;
    if (last.size() == lines) last.erase(last.begin());
    last.push_back({time, amount, why});
  }
};
// [/statement]

}  // namespace bank
