// An account, as a user would write one.
#pragma once

#include "bank.kappa.hpp"
#include "kappa/aggregate/aggregate.hpp"

namespace bank {

using wire::close;
using wire::closed;
using wire::deposit;
using wire::deposited;
using wire::fee_charged;
using wire::insufficient_funds;
using wire::open;
using wire::opened;
using wire::withdraw;
using wire::withdrawal_receipt;
using wire::withdrawn;

/// The places of the commands in the schema.
enum command_of_account : std::size_t { do_open, do_deposit, do_withdraw, do_close };

inline constexpr std::int64_t fee_from_cents = 10'000;
inline constexpr std::int64_t fee_cents = 5;

struct account : wire::account_state {
  using protocol = wire::account_protocol;

  auto decide(const bank::open&) const -> kappa::decision<opened> {
    if (open) return kappa::nothing_to_do{};
    return opened{};
  }
  auto decide(const deposit& c) const -> kappa::decision<deposited> {
    if (!open) return kappa::reject("account is not open");
    return deposited{c.amount_cents};
  }
  auto decide(const withdraw& c) const -> kappa::decision<withdrawn, fee_charged> {
    if (!open) return kappa::reject("account is not open");
    const auto fee = c.amount_cents >= fee_from_cents ? fee_cents : 0;
    const auto left = balance_cents - c.amount_cents - fee;
    if (left < 0) return kappa::reject(insufficient_funds{-left}, "insufficient funds");
    kappa::decision<withdrawn, fee_charged> decided{withdrawn{c.amount_cents}};
    if (fee > 0) decided.add(fee_charged{fee});
    return decided.reply(withdrawal_receipt{left});
  }
  // One that the holder has forgotten for a year is closed whatever is in it.
  auto decide(const close&, const kappa::decide_context& ctx) const -> kappa::decision<closed> {
    const bool forgotten = ctx.now - last_movement > std::chrono::hours{24 * 365};
    if (balance_cents != 0 && !forgotten) return kappa::reject("there is money in it");
    return closed{};
  }

  void apply(const opened&, const kappa::apply_context& ctx) {
    open = true;
    last_movement = ctx.time;
  }
  void apply(const deposited& e, const kappa::apply_context& ctx) {
    balance_cents += e.amount_cents;
    last_movement = ctx.time;
  }
  void apply(const withdrawn& e, const kappa::apply_context& ctx) {
    balance_cents -= e.amount_cents;
    last_movement = ctx.time;
  }
  void apply(const fee_charged& e) { balance_cents -= e.fee_cents; }
};

}  // namespace bank
