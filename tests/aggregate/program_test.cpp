// An aggregate's code as a task calls it: by bytes, over a table of states.
#include <stdexcept>

#include "aggregate/program_states.hpp"

namespace aggregate_programs {

namespace {

/// The places of the events in the schema.
enum event_of_account : std::size_t { on_opened, on_deposited, on_withdrawn, on_fee_charged };

/// Whose withdrawals break off half-way.
struct brittle : account {
  using account::decide;
  auto decide(const withdraw& c) const -> kappa::decision<withdrawn, fee_charged> {
    return {withdrawn{c.amount_cents}, fee_charged{1}};
  }
  using account::apply;
  void apply(const fee_charged&) { throw std::runtime_error{"no fees today"}; }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(programs)

BOOST_AUTO_TEST_CASE(a_decision_gives_its_events_as_bytes_and_has_applied_them) {
  states<account> s;
  must(s.decide("acc-1", do_open, bank::open{}));
  must(s.decide("acc-1", do_deposit, deposit{20'000}));
  must(s.decide("acc-1", do_withdraw, withdraw{10'000}));
  BOOST_TEST(s.out.version_before == 2U);
  BOOST_TEST_REQUIRE(s.out.events.size() == 2U);
  BOOST_TEST(s.out.events[0].kind == on_withdrawn);
  BOOST_TEST(s.out.events[1].kind == on_fee_charged);
  BOOST_TEST((s.out.events[1].time == noon));
  BOOST_TEST(
      (must(codec<withdrawn>::decode(s.out.value_of(s.out.events[0]))) == withdrawn{10'000}));
  BOOST_TEST((must(codec<fee_charged>::decode(s.out.value_of(s.out.events[1]))) == fee_charged{5}));
  BOOST_TEST((s.out.reply == encoded(withdrawal_receipt{9'995})));
  BOOST_TEST(s.at("acc-1").version == 4U);
  BOOST_TEST(s.at("acc-1").state.balance_cents == 9'995);
  BOOST_TEST(must(s.program.version(*s.table, "acc-1")).events == 4U);
  BOOST_TEST(must(s.program.version(*s.table, "acc-2")).events == 0U);
}

BOOST_AUTO_TEST_CASE(a_rejection_and_an_empty_decision_change_nothing) {
  states<account> s;
  must(s.decide("acc-1", do_withdraw, withdraw{1}));
  BOOST_TEST_REQUIRE(s.out.rejected.has_value());
  BOOST_TEST(s.out.rejected->reason == "account is not open");
  BOOST_TEST(!must(s.table->read("acc-1", read_level::latest)).has_value());
  must(s.decide("acc-1", do_open, bank::open{}));
  must(s.decide("acc-1", do_open, bank::open{}));
  BOOST_TEST(!s.out.rejected.has_value());
  BOOST_TEST(s.out.events.empty());
  BOOST_TEST(s.at("acc-1").version == 1U);
}

BOOST_AUTO_TEST_CASE(what_was_decided_is_what_a_replay_applies) {
  states<account> live;
  states<account> replayed;
  std::uint64_t version = 0;
  const auto both = [&](std::size_t which, const auto& command) {
    must(live.decide("acc-1", which, command));
    for (const auto& e : live.out.events) {
      replayed.table->begin_step(epoch_number{1});
      must(replayed.program.apply(*replayed.table, "acc-1", e.kind, bytes{live.out.value_of(e)},
                                  ++version, e.time, replayed.deadline));
      replayed.table->commit_step();
    }
  };
  both(do_open, bank::open{});
  both(do_deposit, deposit{50'000});
  both(do_withdraw, withdraw{20'000});
  both(do_withdraw, withdraw{1});
  BOOST_TEST((must(live.table->read("acc-1", read_level::latest)) ==
              must(replayed.table->read("acc-1", read_level::latest))));
  BOOST_TEST(replayed.at("acc-1").version == 5U);
}

BOOST_AUTO_TEST_CASE(an_event_that_does_not_follow_on_the_last_one_is_refused) {
  states<account> s;
  must(s.apply("acc-1", on_opened, opened{}, 1));
  for (const std::uint64_t wrong : {1U, 3U}) {
    const auto refused = s.apply("acc-1", on_deposited, deposited{1}, wrong);
    BOOST_REQUIRE(!refused);
    BOOST_TEST((refused.error().code == errc::corrupt));
    BOOST_TEST(refused.error().text().find("another program") != std::string::npos,
               refused.error().text());
  }
  must(s.apply("acc-1", on_deposited, deposited{1}, 2));
  BOOST_TEST(s.at("acc-1").state.balance_cents == 1);
}

BOOST_AUTO_TEST_CASE(a_command_that_breaks_off_half_way_leaves_nothing_behind) {
  states<brittle> s;
  must(s.apply("acc-1", on_opened, opened{}, 1));
  must(s.apply("acc-1", on_deposited, deposited{700}, 2));
  s.table->begin_step(epoch_number{1});
  BOOST_CHECK_THROW((void)s.program.decide(*s.table, "acc-1", do_withdraw, encoded(withdraw{500}),
                                           noon, s.out, nullptr),
                    std::runtime_error);
  s.table->rollback_step();
  BOOST_TEST(s.at("acc-1").version == 2U);
  BOOST_TEST(s.at("acc-1").state.balance_cents == 700);
}

BOOST_AUTO_TEST_CASE(a_command_that_cannot_be_read_is_an_error_and_decides_nothing) {
  states<account> s;
  s.table->begin_step(epoch_number{1});
  const auto refused =
      s.program.decide(*s.table, "acc-1", do_deposit, "nonsense", noon, s.out, nullptr);
  s.table->rollback_step();
  BOOST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code == errc::decode));
  BOOST_TEST(s.out.events.empty());
}

BOOST_AUTO_TEST_CASE(the_schemas_are_listed_in_the_order_of_the_text) {
  const kappa::detail::typed_program<account> program;
  BOOST_TEST_REQUIRE(program.commands().size() == 4U);
  BOOST_TEST(program.commands()[do_close].name == "bank.capnp:Close");
  BOOST_TEST_REQUIRE(program.events().size() == 5U);
  BOOST_TEST(program.events()[on_fee_charged].name == "bank.capnp:FeeCharged");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace aggregate_programs
