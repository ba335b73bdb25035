// Property tests find what is wrong, cut it down, and leave what is right alone.
#include <boost/test/unit_test.hpp>

#include "aggregate/bank.hpp"
#include "kappa/testing/any_history.hpp"

namespace any_history_tests {

namespace {

using namespace bank;
using kappa::testing::any_history;
using kappa::testing::dice;
using kappa::testing::scenario_failed;

template <class Account>
kappa::testing::any_command<Account> any(dice& d, const Account& a) {
  if (!a.open || d.chance(0.05)) return bank::open{};
  if (d.chance(0.05)) return bank::close{};
  if (d.chance(0.5)) return deposit{d.number(1, 50'000)};
  return withdraw{d.chance(0.3) ? a.balance_cents : d.number(1, 2 * a.balance_cents + 1)};
}

// The fee is forgotten when it is looked whether there is enough.
struct generous : account {
  using account::decide;
  auto decide(const withdraw& c) const -> kappa::decision<withdrawn, fee_charged> {
    if (c.amount_cents > balance_cents) return kappa::reject("insufficient funds");
    kappa::decision<withdrawn, fee_charged> d{withdrawn{c.amount_cents}};
    if (c.amount_cents >= fee_from_cents) d.add(fee_charged{fee_cents});
    return d;
  }
};

struct throwing : account {
  using account::decide;
  auto decide(const bank::close&, const kappa::decide_context&) const -> kappa::decision<closed> {
    throw std::runtime_error{"cannot be closed"};
  }
};

const auto not_negative = [](const account& a) { return a.balance_cents >= 0; };

template <class F>
std::string failure_of(F&& f) {
  try {
    f();
  } catch (const scenario_failed& e) {
    return e.what();
  }
  return "";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(any_histories)

BOOST_AUTO_TEST_CASE(what_is_right_passes) {
  any_history<account>(any<account>).holds("no balance is negative", not_negative).check();
}

BOOST_AUTO_TEST_CASE(a_fee_that_was_forgotten_is_found_and_told_by_the_three_commands_it_takes) {
  const auto why = failure_of([] {
    any_history<generous>(any<generous>).holds("no balance is negative", not_negative).check();
  });
  BOOST_TEST(why.find("it does not hold that no balance is negative") != std::string::npos, why);
  BOOST_TEST(why.find("3 of its commands are enough") != std::string::npos, why);
  BOOST_TEST(why.find("Withdraw{") != std::string::npos, why);
  BOOST_TEST(
      failure_of([] {
        any_history<generous>(any<generous>).holds("no balance is negative", not_negative).check();
      }) == why);
}

BOOST_AUTO_TEST_CASE(what_the_generator_throws_is_the_tests_own_fault) {
  any_history<account> wrong{[](dice&, const account& a) -> kappa::testing::any_command<account> {
    if (a.open) throw std::out_of_range{"a fault of the test"};
    return bank::open{};
  }};
  BOOST_CHECK_THROW(wrong.check(), std::out_of_range);
  BOOST_CHECK_THROW((void)dice{1}.number(2, 1), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(histories_in_which_nothing_happens_show_nothing) {
  const auto why = failure_of([] {
    any_history<account>([](dice&, const account&) -> kappa::testing::any_command<account> {
      return deposit{1};  // nobody opens it
    }).check();
  });
  BOOST_TEST(why.find("in none of the histories an event has happened") != std::string::npos, why);
}

BOOST_AUTO_TEST_CASE(a_generator_may_be_told_the_time_at_which_its_command_is_decided) {
  struct clocked : account {
    using account::decide;
    auto decide(const deposit& c, const kappa::decide_context& ctx) const
        -> kappa::decision<deposited> {
      const auto ms = ctx.now.time_since_epoch().count();
      if (c.amount_cents != ms) throw std::logic_error{"another time"};
      return deposited{1};
    }
    auto decide(const deposit&) const -> kappa::decision<deposited> = delete;
  };
  kappa::timestamp last = kappa::testing::first_moment;
  any_history<clocked>(
      [&](dice&, const clocked&, kappa::timestamp now) -> kappa::testing::any_command<clocked> {
        if (now < last) last = kappa::testing::first_moment;  // the next history
        if (now < last) throw std::logic_error{"time goes back"};
        last = now;
        return deposit{now.time_since_epoch().count()};
      },
      {.histories = 5})
      .check();
  BOOST_TEST((last > kappa::testing::first_moment));
}

BOOST_AUTO_TEST_CASE(what_user_code_throws_is_a_failure) {
  const auto why = failure_of([] { any_history<throwing>(any<throwing>).check(); });
  BOOST_TEST(why.find("cannot be closed") != std::string::npos, why);
  BOOST_TEST(why.find("1 of its commands are enough") != std::string::npos, why);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace any_history_tests
