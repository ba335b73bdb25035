// A transfer: a saga, which takes money from one account and gives it to another, or back. It is an
// aggregate like any other: what it has done so far are its events, and what its commands came to
// is told to it.
#pragma once

#include "bank.kappa.hpp"
#include "kappa/aggregate/aggregate.hpp"

namespace bank {

// [saga]
struct transfer : transfer_state {
  using protocol = transfer_protocol;

  auto decide(const start_transfer& c, const kappa::decide_context& ctx) const
      -> kappa::decision<transfer_started> {
    if (stage != stage::none) return kappa::reject("there is a transfer of this name");
    if (c.amount_cents <= 0) return kappa::reject("there is nothing to transfer");
    if (c.from == c.to) return kappa::reject("from an account to itself");
    const auto limit = ctx.now + std::chrono::minutes{1};
    kappa::decision<transfer_started> d{transfer_started{c.from, c.to, c.amount_cents, limit}};
    return d.send(c.from, withdraw{c.amount_cents, std::string{ctx.key}}, {.about = "withdraw"});
  }

  // What the command came to that was sent last: of one there is one result.
  auto decide(const kappa::command_result& r, const kappa::decide_context& ctx) const
      -> kappa::decision<money_taken, deposit_refused, transfer_completed, transfer_failed> {
    const std::string id{ctx.key};
    if (r.about != awaited()) return kappa::reject("no result is awaited of: " + r.about);
    kappa::decision<money_taken, deposit_refused, transfer_completed, transfer_failed> d{
        kappa::nothing_to_do{}};
    switch (stage) {
      case stage::withdrawing:
        if (!r.accepted()) return transfer_failed{r.why_not()};
        return d.add(money_taken{}).send(to, deposit{amount_cents, id}, {.about = "deposit"});
      case stage::depositing:
        if (r.accepted()) return transfer_completed{};
        return d.add(deposit_refused{r.why_not()})
            .send(from, deposit{amount_cents, id}, {.about = "refund"});
      case stage::refunding:
        if (r.accepted()) return transfer_failed{"the money was given back"};
        return kappa::reject("it cannot be given back: " + r.why_not());
      default:
        return kappa::nothing_to_do{};
    }
  }

  // One that takes too long is told of, once.
  auto deadline() const -> std::optional<kappa::timestamp> {
    if (is_over() || overdue) return std::nullopt;
    return due_at;
  }
  auto decide(const kappa::deadline_passed&) const -> kappa::decision<transfer_overdue> {
    return transfer_overdue{};
  }

  void apply(const transfer_started& e) {
    from = e.from;
    to = e.to;
    amount_cents = e.amount_cents;
    due_at = e.due_at;
    stage = stage::withdrawing;
  }
  void apply(const money_taken&) { stage = stage::depositing; }
  void apply(const deposit_refused&) { stage = stage::refunding; }
  void apply(const transfer_completed&) { stage = stage::completed; }
  void apply(const transfer_failed&) { stage = stage::failed; }
  void apply(const transfer_overdue&) { overdue = true; }

  [[nodiscard]] std::string awaited() const {
    switch (stage) {
      case stage::withdrawing:
        return "withdraw";
      case stage::depositing:
        return "deposit";
      case stage::refunding:
        return "refund";
      default:
        return "nothing";
    }
  }
  [[nodiscard]] bool is_over() const { return stage == stage::completed || stage == stage::failed; }
};
// [/saga]

}  // namespace bank
