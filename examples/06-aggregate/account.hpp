// An account: a plain struct, which knows nothing of logs, threads or messages.
#pragma once

#include "accounts.kappa.hpp"
#include "kappa/aggregate/aggregate.hpp"

// [account]
struct account : account_state {      // its state, a struct of the schema
  using protocol = account_protocol;  // its commands and events, made from the schema

  auto decide(const open_account&) const -> kappa::decision<account_opened> {
    if (open) return kappa::nothing_to_do{};
    return account_opened{};
  }
  auto decide(const deposit& c) const -> kappa::decision<deposited> {
    if (!open) return kappa::reject("the account is not open");
    return deposited{c.amount_cents};
  }
  auto decide(const withdraw& c) const -> kappa::decision<withdrawn> {
    if (!open) return kappa::reject("the account is not open");
    const auto missing = c.amount_cents - balance_cents;
    if (missing > 0) return kappa::reject(insufficient_funds{missing}, "insufficient funds");
    // [publish]
    kappa::decision<withdrawn> d{withdrawn{c.amount_cents}};
    if (c.amount_cents >= 100'000)
      d.publish("large-withdrawals", large_withdrawal{c.amount_cents, -missing});
    return d;
    // [/publish]
  }

  void apply(const account_opened&) { open = true; }
  void apply(const deposited& e) { balance_cents += e.amount_cents; }
  void apply(const withdrawn& e) { balance_cents -= e.amount_cents; }
};
// [/account]
