// What a user's tests of an aggregate say, and what they say when the aggregate is wrong.
#include <string>

#include <boost/test/unit_test.hpp>

#include "aggregate/bank.hpp"
#include "kappa/testing/given.hpp"

namespace aggregate_scenarios {

namespace {

using namespace bank;
using kappa::testing::given;
using kappa::testing::scenario_failed;

/// What the scenario complains of; empty: it passes.
template <class F>
std::string complaint(F&& scenario) {
  try {
    scenario();
    return "";
  } catch (const scenario_failed& e) {
    return e.what();
  }
}

/// Whose apply counts its calls, which no replay can know.
struct forgetful : wire::account_state {
  using protocol = wire::account_protocol;
  template <class C>
  auto decide(const C&) const -> kappa::decision<opened> {
    return opened{};
  }
  template <class E>
  void apply(const E&) {
    static int calls = 0;
    balance_cents = ++calls;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(scenarios)

BOOST_AUTO_TEST_CASE(an_accepted_command_gives_its_events_and_its_reply) {
  given<account>(opened{}, deposited{700})
      .when(withdraw{500})
      .then(withdrawn{500})
      .then_reply(withdrawal_receipt{200})
      .then_state([](const account& a) { return a.balance_cents == 200; });
}

BOOST_AUTO_TEST_CASE(one_command_may_give_several_events_and_none) {
  given<account>(opened{}, deposited{20'000})
      .when(withdraw{10'000})
      .then(withdrawn{10'000}, fee_charged{5})
      .when(bank::open{})
      .then_nothing();
}

BOOST_AUTO_TEST_CASE(a_rejection_is_told_in_words_and_as_a_value) {
  given<account>(opened{}, deposited{100})
      .when(withdraw{500})
      .then_rejected("insufficient funds")
      .then_rejected(insufficient_funds{400})
      .then_state([](const account& a) { return a.balance_cents == 100; });
  given<account>().when(deposit{1}).then_rejected("account is not open");
}

BOOST_AUTO_TEST_CASE(what_follows_from_a_command_has_happened_for_the_next_one) {
  auto s = given<account>(opened{}, deposited{700});
  s.when(withdraw{500}).then(withdrawn{500});
  s.when(withdraw{500}).then_rejected(insufficient_funds{300});
  BOOST_TEST(s.version() == 3);
}

BOOST_AUTO_TEST_CASE(decide_and_apply_are_told_the_time) {
  const kappa::timestamp then{std::chrono::hours{24 * 365 * 30}};
  auto s = given<account>();
  s.at(then).when(bank::open{}).when(deposit{10});
  s.at(then + std::chrono::hours{24}).when(bank::close{}).then_rejected("there is money in it");
  s.at(then + std::chrono::hours{24 * 366}).when(bank::close{}).then(closed{});
}

BOOST_AUTO_TEST_CASE(after_a_tombstone_there_is_none_and_its_version_goes_on) {
  auto s = given<account>(opened{}, deposited{0});
  s.when(bank::close{}).then(closed{}).then_gone().then_state([](const account& a) {
    return a == wire::account_state{};
  });
  BOOST_TEST(s.version() == 3U);
  s.when(deposit{1}).then_rejected("account is not open").then_gone();
  s.when(bank::open{}).then(opened{});
  BOOST_TEST(s.version() == 4U);
  BOOST_TEST(
      complaint([&] {
        s.then_gone();
      }).starts_with("the aggregate: expected it to be gone, came AccountState{\"open\":true"));
  BOOST_TEST(complaint([] { given<account>().then_gone(); }) ==
             "the aggregate: expected it to be gone, came one that has never been");
}

BOOST_AUTO_TEST_CASE(a_scenario_that_does_not_hold_says_what_was_expected_and_what_came) {
  BOOST_TEST(complaint([] {
               given<account>(opened{}, deposited{700}).when(withdraw{500}).then(withdrawn{400});
             }) ==
             "Withdraw{\"amountCents\":500}: expected Withdrawn{\"amountCents\":400}, came "
             "Withdrawn{\"amountCents\":500}");
  BOOST_TEST(complaint([] { given<account>().when(deposit{1}).then(deposited{1}); }) ==
             "Deposit{\"amountCents\":1}: expected it to be accepted, came a rejection: account is "
             "not open");
  BOOST_TEST(complaint([] {
               given<account>(opened{}).when(withdraw{500}).then_rejected(insufficient_funds{1});
             }) ==
             "Withdraw{\"amountCents\":500}: expected InsufficientFunds{\"missingCents\":1}, came "
             "InsufficientFunds{\"missingCents\":500}");
  BOOST_TEST(complaint([] { given<account>(opened{}).when(deposit{1}).then_rejected("no"); }) ==
             "Deposit{\"amountCents\":1}: expected no, came Deposited{\"amountCents\":1}");
  BOOST_TEST(complaint([] { given<account>().then_nothing(); }) ==
             "a \"then\" without a \"when\" before");
}

BOOST_AUTO_TEST_CASE(an_apply_that_a_replay_cannot_repeat_fails_every_scenario) {
  const auto said = complaint([] { (void)given<forgetful>(opened{}); });
  BOOST_TEST(said.starts_with("the state made anew from its events (is apply deterministic?)"),
             said);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace aggregate_scenarios
