// The saga step by step, without a log: what it asks of the accounts, and what it makes of the
// answers; and the whole bank on a log in memory.
#define BOOST_TEST_MODULE bank
#include <boost/test/unit_test.hpp>

#include "bank_app.hpp"
#include "kappa/testing/any_history.hpp"
#include "kappa/testing/driver.hpp"
#include "kappa/testing/given.hpp"

using namespace bank;
using kappa::testing::given;

namespace {

constexpr kappa::timestamp noon{std::chrono::hours{12}};
constexpr auto due = noon + std::chrono::minutes{1};
const transfer_started started{"ann", "bob", 500, due};
kappa::command_result done(const std::string& what) {
  return {what, "ann", kappa::command_receipt{1, 1, {}}};
}
kappa::command_result refused(const std::string& what, const std::string& why) {
  return {what, "ann", kappa::reject(why)};
}

}  // namespace

// [saga-test]
BOOST_AUTO_TEST_CASE(a_transfer_takes_the_money_and_then_gives_it) {
  given<transfer>()
      .key(std::string{"t-1"})
      .at(noon)
      .when(start_transfer{"ann", "bob", 500})
      .then(started)
      .then_sent("ann", withdraw{500, "t-1"}, "withdraw")
      .when(done("withdraw"))
      .then(money_taken{})
      .then_sent("bob", deposit{500, "t-1"}, "deposit")
      .when(done("deposit"))
      .then(transfer_completed{})
      .then_sent_nothing();
}

BOOST_AUTO_TEST_CASE(what_cannot_be_given_goes_back) {
  given<transfer>(started, money_taken{})
      .key(std::string{"t-1"})
      .when(refused("deposit", "there is no such account"))
      .then(deposit_refused{"there is no such account"})
      .then_sent("ann", deposit{500, "t-1"}, "refund")
      .when(done("refund"))
      .then(transfer_failed{"the money was given back"})
      .then_sent_nothing();
}
// [/saga-test]

BOOST_AUTO_TEST_CASE(without_the_money_nothing_is_given) {
  given<transfer>(started)
      .when(refused("withdraw", "insufficient funds"))
      .then(transfer_failed{"insufficient funds"})
      .then_sent_nothing()
      .when(done("withdraw"))
      .then_rejected("no result is awaited of: withdraw");
}

BOOST_AUTO_TEST_CASE(a_transfer_that_takes_too_long_is_told_of_once) {
  given<transfer>(started)
      .then_deadline(due)
      .when_deadline()
      .then(transfer_overdue{})
      .then_deadline(std::nullopt);
  given<transfer>(started, money_taken{}, transfer_completed{}).then_deadline(std::nullopt);
}

BOOST_AUTO_TEST_CASE(what_makes_no_sense_is_not_started) {
  given<transfer>(started)
      .when(start_transfer{"ann", "bob", 1})
      .then_rejected("there is a transfer of this name");
  given<transfer>()
      .when(start_transfer{"ann", "ann", 1})
      .then_rejected("from an account to itself");
  given<transfer>()
      .when(start_transfer{"ann", "bob", 0})
      .then_rejected("there is nothing to transfer");
}

BOOST_AUTO_TEST_CASE(an_account_has_only_what_is_in_it) {
  given<account>(account_opened{100}, withdrawn{60, "t-1"})
      .when(withdraw{41, "t-2"})
      .then_rejected("insufficient funds")
      .when(withdraw{40, "t-2"})
      .then(withdrawn{40, "t-2"})
      .then_state([](const account& a) { return a.balance_cents == 0; });
  given<account>().when(deposit{1, "t-1"}).then_rejected("there is no such account");
}

// [whole-app-test]
BOOST_AUTO_TEST_CASE(a_transfer_moves_money_and_both_statements_tell_of_it) {
  kappa::testing::driver d{bank_app()};
  d.ask<account>("ann", open_account{100});
  d.ask<account>("bob", open_account{0});
  d.ask<transfer>("t-1", start_transfer{"ann", "bob", 30});
  BOOST_TEST((d.entry<transfer>("t-1")->state.stage == stage::completed));

  const auto bobs = d.get<statement>("statements", std::string{"bob"});
  BOOST_TEST(bobs->balance_cents == 30);
  BOOST_TEST(bobs->last.back().transfer == "t-1");
  BOOST_TEST(d.ask<account>("ann", withdraw{100, "t-2"}).why_not() == "insufficient funds");
}
// [/whole-app-test]

// [property-test]
kappa::testing::any_command<account> anything(kappa::testing::dice& d, const account& a) {
  if (!a.open) return open_account{d.number(0, 100)};
  if (d.chance(0.5)) return deposit{d.number(1, 100), "t-1"};
  return withdraw{d.number(1, 2 * a.balance_cents + 1), "t-2"};
}

BOOST_AUTO_TEST_CASE(no_balance_is_ever_negative) {
  kappa::testing::any_history<account>(anything)
      .holds("no balance is negative", [](const account& a) { return a.balance_cents >= 0; })
      .check();
}
// [/property-test]

// [faults]
BOOST_AUTO_TEST_CASE(money_moves_once_whatever_becomes_of_the_commits) {
  kappa::testing::driver d{bank_app()};
  int commits = 0;
  d.log().set_commit_fault([&](const kappa::log_transaction&) {
    using fault = kappa::commit_fault;
    constexpr fault each[]{fault::abort,               // it fails
                           fault::indefinite_lost,     // nobody knows, and it is not in the log
                           fault::indefinite_applied,  // nobody knows, and it is
                           fault::none};
    return each[commits++ % 4];
  });
  d.ask<account>("ann", open_account{100});
  d.ask<account>("bob", open_account{0});
  d.ask<transfer>("t-1", start_transfer{"ann", "bob", 60});
  BOOST_TEST(d.entry<account>("ann")->state.balance_cents == 40);
  BOOST_TEST(d.entry<account>("bob")->state.balance_cents == 60);
  BOOST_TEST(commits > 12);  // each fault, at steps of the transfer too
}
// [/faults]
