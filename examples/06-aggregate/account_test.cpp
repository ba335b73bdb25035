// Tests of an aggregate need no log.
#define BOOST_TEST_MODULE account
#include <boost/test/unit_test.hpp>

#include "account.hpp"
#include "kappa/testing/given.hpp"

using kappa::testing::given;

// [given]
BOOST_AUTO_TEST_CASE(a_withdrawal_beyond_the_balance_is_rejected) {
  given<account>(account_opened{}, deposited{100})
      .when(withdraw{500})
      .then_rejected("insufficient funds")
      .then_rejected(insufficient_funds{400});
}

BOOST_AUTO_TEST_CASE(what_was_withdrawn_is_gone) {
  given<account>(account_opened{}, deposited{700})
      .when(withdraw{500})
      .then(withdrawn{500})
      .then_state([](const account& a) { return a.balance_cents == 200; });
}
// [/given]

// [published]
BOOST_AUTO_TEST_CASE(a_large_withdrawal_is_told_to_others) {
  given<account>(account_opened{}, deposited{300'000})
      .when(withdraw{200'000})
      .then(withdrawn{200'000})
      .then_published("large-withdrawals", large_withdrawal{200'000, 100'000})
      .when(withdraw{99'999})
      .then_published_nothing();
}
// [/published]

BOOST_AUTO_TEST_CASE(an_open_account_is_not_opened_again) {
  given<account>(account_opened{}).when(open_account{}).then_nothing();
  given<account>().when(deposit{1}).then_rejected("the account is not open");
}
