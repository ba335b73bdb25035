// An account. It knows nothing of transfers: only that it has the money, or not.
#pragma once

#include "bank.kappa.hpp"
#include "kappa/aggregate/aggregate.hpp"

namespace bank {

struct account : account_state {
  using protocol = account_protocol;

  auto decide(const open_account& c) const -> kappa::decision<account_opened> {
    if (open) return kappa::nothing_to_do{};
    return account_opened{c.deposit_cents};
  }
  auto decide(const withdraw& c) const -> kappa::decision<withdrawn> {
    if (!open) return kappa::reject("there is no such account");
    if (c.amount_cents > balance_cents) return kappa::reject("insufficient funds");
    return withdrawn{c.amount_cents, c.transfer};
  }
  auto decide(const deposit& c) const -> kappa::decision<deposited> {
    if (!open) return kappa::reject("there is no such account");
    return deposited{c.amount_cents, c.transfer};
  }

  void apply(const account_opened& e) {
    open = true;
    balance_cents = e.deposit_cents;
  }
  void apply(const withdrawn& e) { balance_cents -= e.amount_cents; }
  void apply(const deposited& e) { balance_cents += e.amount_cents; }
};

}  // namespace bank
