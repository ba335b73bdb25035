// The bank's accounts in several versions; transfers stay as they are. The first is the example's.
#pragma once

#include <string>
#include <tuple>

#include "appended/bank.kappa.hpp"
#include "bank_app.hpp"
#include "marked/bank.kappa.hpp"
#include "misfit/bank.kappa.hpp"
#include "second/bank.kappa.hpp"

namespace bank_appended {

struct account : account_state {
  using protocol = account_protocol;

  auto decide(const open_account& c) const -> kappa::decision<account_opened> {
    if (open) return kappa::nothing_to_do{};
    return account_opened{c.deposit_cents};
  }
  auto decide(const withdraw& c) const -> kappa::decision<withdrawn> {
    if (!open) return kappa::reject("there is no such account");
    if (c.amount_cents > balance_cents) return kappa::reject("insufficient funds");
    return withdrawn{c.amount_cents, c.transfer, c.memo};
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

}  // namespace bank_appended

namespace bank_second {

// [upcast]
struct account : account_state {
  using protocol = account_protocol;

  static auto upcast(const account_opened& e) -> std::tuple<opened, credited> {
    return {opened{}, credited{e.deposit_cents, ""}};
  }
  static auto upcast(const withdrawn& e) -> debited { return {e.amount_cents, e.transfer, e.memo}; }
  // [/upcast]

  auto decide(const open_account& c) const -> kappa::decision<opened, credited> {
    if (open) return kappa::nothing_to_do{};
    return {opened{}, credited{c.deposit_cents, ""}};
  }
  auto decide(const withdraw& c) const -> kappa::decision<debited> {
    if (!open) return kappa::reject("there is no such account");
    if (c.amount_cents > balance_cents) return kappa::reject("insufficient funds");
    return debited{c.amount_cents, c.transfer, c.memo};
  }
  auto decide(const credit& c) const -> kappa::decision<credited> {
    if (!open) return kappa::reject("there is no such account");
    return credited{c.amount_cents, c.transfer};
  }
  void apply(const opened&) { open = true; }
  void apply(const credited& e) { balance_cents += e.amount_cents; }
  void apply(const debited& e) {
    balance_cents -= e.cents;
    last_memo = e.memo;
  }
};

}  // namespace bank_second

namespace bank_misfit {

struct account : account_state {
  using protocol = account_protocol;
  template <class Command>
  auto decide(const Command& /*c*/) const -> kappa::decision<account_opened> {
    return kappa::nothing_to_do{};
  }
  template <class Event>
  void apply(const Event& /*e*/) {}
};

}  // namespace bank_misfit

namespace bank_marked {

struct account : account_state {
  using protocol = account_protocol;
  template <class Command>
  auto decide(const Command& /*c*/) const -> kappa::decision<withdrawn> {
    return kappa::nothing_to_do{};
  }
  auto decide(const withdraw& c) const -> kappa::decision<withdrawn> {
    return withdrawn{c.amount_cents, c.transfer};
  }
  void apply(const account_opened& /*e*/) { open = true; }
  void apply(const deposited& /*e*/) {}
};

}  // namespace bank_marked

namespace evolution_tests {

template <class Account>
kappa::app bank_with() {
  kappa::app app{"bank"};
  app.aggregate<Account>("accounts");
  app.aggregate<bank::transfer>("transfers");
  return app;
}

struct first {
  using account = bank::account;
  using open = bank::open_account;
  using withdraw = bank::withdraw;
};
struct appended {
  using account = bank_appended::account;
  using open = bank_appended::open_account;
  using withdraw = bank_appended::withdraw;
};
struct second {
  using account = bank_second::account;
  using open = bank_second::open_account;
  using withdraw = bank_second::withdraw;
};
struct misfit {
  using account = bank_misfit::account;
};
struct marked {
  using account = bank_marked::account;
};

}  // namespace evolution_tests
