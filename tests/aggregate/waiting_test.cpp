// Commands that nobody waits for any more, or never did; states that nobody asks for any more.
#include "aggregate/one_partition.hpp"

namespace waiting_tests {

namespace {

using namespace aggregate_tests;
using std::chrono::minutes;

struct waiting_command {
  pending_outcome outcome;
  std::shared_ptr<command_claim> claim;
};

waiting_command deposit_with_claim(one_partition& p, std::int64_t cents) {
  auto slot = std::make_shared<std::optional<command_outcome>>();
  auto claim = std::make_shared<command_claim>();
  must(p.inbox->put({"acc-1", do_deposit, encoded(deposit{cents}), std::nullopt, std::nullopt,
                     [slot](command_outcome o) { *slot = std::move(o); }, claim}));
  return {slot, claim};
}

void tell_deposit(one_partition& p, std::int64_t cents) {
  must(p.inbox->put({"acc-1", do_deposit, encoded(deposit{cents})}));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(waiting_for_aggregates)

BOOST_AUTO_TEST_CASE(a_command_that_was_given_up_before_its_turn_does_not_happen) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  const auto given_up = deposit_with_claim(p, 1);
  const auto waits = deposit_with_claim(p, 2);
  BOOST_TEST(given_up.claim->give_up());
  p.turn();
  BOOST_TEST(!given_up.outcome->has_value());
  BOOST_TEST(std::get<command_receipt>(**waits.outcome).version == 2U);
  BOOST_TEST(p.balance("acc-1") == 2);
}

BOOST_AUTO_TEST_CASE(a_command_whose_turn_has_come_cannot_be_given_up) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  const auto decided = deposit_with_claim(p, 1);
  p.run();  // it is not durable yet
  BOOST_TEST(!decided.outcome->has_value());
  BOOST_TEST(!decided.claim->give_up());
  p.turn();
  BOOST_TEST(p.balance("acc-1") == 1);
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_command_that_was_only_told_is_a_dead_letter) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  tell_deposit(p, 13);
  tell_deposit(p, 2);
  must(p.inbox->put({"acc-1", do_withdraw, encoded(withdraw{1'000'000})}));  // is rejected
  p.run();
  p.now += p.limits.commit_interval;  // nobody waits
  p.turn();
  BOOST_TEST(p.balance("acc-1") == 2);
  const auto dead = p.records(dead_letters_of_bank);
  BOOST_TEST_REQUIRE(dead.size() == 1U);
  BOOST_TEST(*dead.front().key == "acc-1");
  BOOST_TEST((must(codec<deposit>::decode(*dead.front().value)) == deposit{13}));
  BOOST_TEST(dead.front().headers.find("kappa.error").value_or("").find("thirteen") !=
             bytes_view::npos);
  BOOST_TEST(p.task->progress().dead_letters == 1U);
}

BOOST_AUTO_TEST_CASE(states_that_nobody_asks_for_leave_memory_and_come_back) {
  one_partition p;
  p.limits.passivate_after = minutes{10};
  must(p.open());
  constexpr int accounts = 500;
  const auto name = [](int i) { return fmt::format("acc-{}", i); };
  const auto none = p.task->progress().cache_bytes;
  for (int i = 0; i < accounts; ++i) p.ask(name(i), do_open, bank::open{});
  p.snapshot();
  const auto all = p.task->progress().cache_bytes;
  BOOST_TEST(all > none);
  const auto look = p.task->next_deadline();
  BOOST_TEST_REQUIRE(look.has_value());
  BOOST_TEST((*look <= p.now + minutes{10}));
  // One is in use all the time.
  int deposits = 0;
  for (const auto until = p.now + minutes{21}; p.now < until; p.now += minutes{1}) {
    p.accepted("acc-0", do_deposit, deposit{1});
    ++deposits;
  }
  p.snapshot();
  BOOST_TEST(p.task->table()->cached_entries() == 1U);
  for (int i = 0; i < accounts; ++i)
    BOOST_TEST(p.accepted(name(i), do_deposit, deposit{100 + i}).version ==
               (i == 0 ? 2U + deposits : 2U));
  BOOST_TEST(p.balance(name(7)) == 107);
  BOOST_TEST(p.balance("acc-0") == 100 + deposits);
}

BOOST_AUTO_TEST_CASE(what_no_snapshot_has_stays_in_memory) {
  one_partition p;
  p.limits.passivate_after = minutes{10};
  p.limits.snapshot_interval = std::chrono::hours{100};
  must(p.open());
  p.accepted("acc-1", do_open, bank::open{});
  p.accepted("acc-1", do_deposit, deposit{5});
  for (int i = 0; i < 10; ++i) {
    p.now += minutes{10};
    p.turn();
  }
  BOOST_TEST(p.task->table()->cached_entries() == 1U);
  BOOST_TEST(p.balance("acc-1") == 5);
}

BOOST_AUTO_TEST_CASE(without_a_time_they_stay) {
  open_partition p;
  p.accepted("acc-1", do_open, bank::open{});
  p.snapshot();
  p.now += std::chrono::hours{1000};
  p.turn();
  p.turn();
  BOOST_TEST(p.task->table()->cached_entries() == 1U);
  BOOST_TEST(!p.task->next_deadline().has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace waiting_tests
