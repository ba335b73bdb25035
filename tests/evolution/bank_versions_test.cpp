// Versions of the bank one after the other over the same log.
#include "actors/aggregate_history.hpp"
#include "evolution/story.hpp"
#include "kappa/aggregate/command_record.hpp"

namespace evolution_tests {

namespace {

const std::vector<how_it_runs> all_ways{{true, true, false},  {true, false, false},
                                        {true, true, true},   {true, false, true},
                                        {false, true, false}, {false, false, false}};

const std::vector<how_it_runs> some_ways{
    {true, true, true}, {true, false, false}, {false, true, false}};

}  // namespace

BOOST_AUTO_TEST_SUITE(bank_versions)

BOOST_AUTO_TEST_CASE(a_new_version_goes_on_where_the_old_one_was) {
  for (const auto& how : all_ways) {
    BOOST_TEST_CONTEXT("embedded " << how.embedded << ", states kept " << how.keeps_states
                                   << ", savepoints " << how.savepoints) {
      bank_place b{how};
      memory m;
      b.start<first>();
      open_accounts<first>(b, m);
      transfers(b, m, 0, 15);
      const auto then = books_of<first>(b);

      b.start<appended>();
      BOOST_TEST(books_of<appended>(b) == then, boost::test_tools::per_element());
      check_answers<appended>(b, m);
      transfers(b, m, 15, 25);
      const auto later = books_of<appended>(b);

      b.start<second>();
      BOOST_TEST(books_of<second>(b) == later, boost::test_tools::per_element());
      check_answers<second>(b, m);
      transfers(b, m, 25, 40);
      const auto last = books_of<second>(b);

      b.start<second>();
      BOOST_TEST(books_of<second>(b) == last, boost::test_tools::per_element());
      check_answers<second>(b, m);
      b.stop();
      check_audit(b, accepted(m));
    }
  }
}

BOOST_AUTO_TEST_CASE(over_appended_fields_every_version_goes_on_after_every_other) {
  for (const auto& how : some_ways) {
    bank_place b{how};
    memory m;
    b.start<appended>();
    open_accounts<appended>(b, m);
    transfers(b, m, 0, 8);
    BOOST_TEST(b.answer<bank_appended::account>("memo", bank_appended::open_account{50}) ==
               "version 1, 1 events");
    // A field that the older version does not know.
    BOOST_TEST(b.answer<bank_appended::account>(
                   "memo", bank_appended::withdraw{20, "", "for lunch"}) == "version 2, 1 events");
    for (int round = 1; round < 4; ++round) {
      const auto then = round % 2 == 1 ? books_of<appended>(b) : books_of<first>(b);
      if (round % 2 == 1) {
        b.start<first>();
        BOOST_TEST(books_of<first>(b) == then, boost::test_tools::per_element());
        BOOST_TEST(b.at<bank::account>("memo").state.balance_cents == 30);
        check_answers<first>(b, m);
      } else {
        b.start<appended>();
        BOOST_TEST(books_of<appended>(b) == then, boost::test_tools::per_element());
        check_answers<appended>(b, m);
      }
      transfers(b, m, 8 * round, 8 * (round + 1));
    }
  }
}

BOOST_AUTO_TEST_CASE(going_back_over_a_renamed_or_split_event_is_refused_at_the_start) {
  for (const auto& how : some_ways) {
    bank_place b{how};
    memory m;
    b.start<first>();
    open_accounts<first>(b, m);
    transfers(b, m, 0, 5);
    b.start<second>();
    transfers(b, m, 5, 12);
    // Of an event that is split, and of one that was renamed.
    (void)b.answer<bank_second::account>("new", bank_second::open_account{7});
    const auto last = books_of<second>(b);
    b.stop();
    const auto name = first_of(*b.log(), "accounts", {"bank.capnp:Debited", "bank.capnp:Opened"});
    const auto ends = ends_of(*b.log());
    for (int twice = 0; twice < 2; ++twice) {
      BOOST_TEST(refused(
          b.try_start<first>(), errc::refused_start,
          {name + ": refused to start: it is a bank.capnp:Debited, which this version of accounts "
                  "does not know: run the version that wrote it or a newer one",
           "as a $Kappa.formerEvent with an upcast"}));
      BOOST_TEST(
          refused(b.try_start<appended>(), errc::refused_start, {name, "bank.capnp:Debited"}));
    }
    BOOST_TEST((ends_of(*b.log()) == ends));  // nothing was written
    b.start<second>();
    BOOST_TEST(books_of<second>(b) == last, boost::test_tools::per_element());
    check_answers<second>(b, m);
    transfers(b, m, 12, 20);
    b.stop();
  }
}

BOOST_AUTO_TEST_CASE(a_new_version_that_has_written_none_of_its_events_can_be_left) {
  bank_place b;
  memory m;
  b.start<first>();
  open_accounts<first>(b, m);
  const auto then = books_of<first>(b);
  b.start<second>();
  // A deposit keeps its id under its new name, so that the first version reads it.
  BOOST_TEST(b.answer<bank_second::account>("ann", bank_second::credit{11, "x"}) ==
             "version 2, 1 events");
  // Its state has a field that the first version would lose.
  BOOST_TEST(
      refused(b.try_start<first>(), errc::incompatible, {"lastMemo", "delete the state's folder"}));
  b.lose_states();
  b.start<first>();
  auto now = books_of<first>(b);
  BOOST_TEST(now.front() == (in_account{111, 2}));
  now.front() = then.front();
  BOOST_TEST(now == then, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(events_whose_schema_does_not_fit_are_refused_at_the_start) {
  bank_place b;
  memory m;
  b.start<misfit>();  // on an empty log there is nothing that it cannot read
  b.start<first>();
  open_accounts<first>(b, m);
  b.start<misfit>();  // nor is there before a withdrawal
  b.start<first>();
  transfers(b, m, 0, 1);
  b.stop();
  const auto name = first_of(*b.log(), "accounts", {"bank.capnp:Withdrawn"});
  const auto ends = ends_of(*b.log());
  BOOST_TEST(refused(
      b.try_start<misfit>(), errc::refused_start,
      {name + ": refused to start: it is a bank.capnp:Withdrawn, of a schema that this version of "
              "accounts cannot read: field 'amountCents' (@0) of "
              "bank.capnp:Withdrawn was Int64 and is Int32",
       "keep the old struct, with its id, as a $Kappa.formerEvent"}));
  BOOST_TEST((ends_of(*b.log()) == ends));
  b.start<first>();
  check_answers<first>(b, m);
}

BOOST_AUTO_TEST_CASE(
    an_event_that_was_a_tombstone_or_was_none_is_refused_as_the_other_at_the_start) {
  for (const bool is_one : {true, false}) {
    bank_place b;
    memory m;
    b.start<first>();
    open_accounts<first>(b, m);
    b.start<marked>();  // there is no such event yet
    if (is_one) {
      BOOST_TEST(b.answer<bank_marked::account>("ann", bank_marked::withdraw{5, ""}) ==
                 "version 2, 1 events");
      BOOST_TEST(b.at<bank_marked::account>("ann").version == 0U);  // there is none
    } else {
      b.start<first>();
      BOOST_TEST(b.answer<bank::account>("ann", bank::withdraw{5, ""}) == "version 2, 1 events");
    }
    b.stop();
    const auto name = first_of(*b.log(), "accounts", {"bank.capnp:Withdrawn"});
    const auto ends = ends_of(*b.log());
    BOOST_TEST(refused(is_one ? b.try_start<first>() : b.try_start<marked>(), errc::refused_start,
                       {name,
                        is_one ? "bank.capnp:Withdrawn was a $Kappa.tombstone and is none"
                               : "bank.capnp:Withdrawn was no $Kappa.tombstone and is one",
                        "keep the old struct, with its id, as a $Kappa.formerEvent"}));
    BOOST_TEST((ends_of(*b.log()) == ends));
    must(is_one ? b.try_start<marked>() : b.try_start<first>());
  }
}

BOOST_AUTO_TEST_CASE(commands_that_wait_and_do_not_fit_are_refused_at_the_start) {
  bank_place b;
  memory m;
  b.start<first>();
  open_accounts<first>(b, m);
  b.stop();
  {
    const auto log = b.log();
    command_headers h;
    h.type = reference_to(codec<bank::deposit>::schema());
    bytes headers;
    encode_command_headers(h, headers);
    record_batch batch;
    batch.add({}, bytes_view{"ann"}, encoded(bank::deposit{5, ""}), headers);
    must(log->append({"bank.accounts.commands", partition_of(bytes_view{"ann"}, 3)}, batch));
  }
  BOOST_TEST(refused(b.try_start<misfit>(), errc::refused_start,
                     {"bank.accounts.commands", "@0: refused to start: it is a bank.capnp:Deposit",
                      "was Int64 and is Float64",
                      "Run the version before this one until it has decided its commands"}));
  b.start<first>();
  while (b.at<bank::account>("ann").version < 2) std::this_thread::yield();
  b.stop();
  b.start<misfit>();  // it is decided
}

BOOST_AUTO_TEST_CASE(a_history_shows_events_as_they_were_written) {
  bank_place b;
  memory m;
  b.start<first>();
  open_accounts<first>(b, m);
  b.start<second>();
  (void)b.answer<bank_second::account>("ann", bank_second::withdraw{30, "", "cash"});
  const auto topology = must(topology::compile(bank_with<bank_second::account>()));
  const auto h = must(kappa::detail::read_history(
      b.service(), {topology.find("accounts"), "ann", offset{0}, 10, std::chrono::seconds{10}}));
  BOOST_TEST_REQUIRE(h.events.size() == 2U);
  BOOST_TEST(h.events[0].version == 1U);
  BOOST_TEST(h.events[0].type == "bank.capnp:AccountOpened");
  BOOST_TEST(h.events[0].json == R"({"depositCents":100})");
  BOOST_TEST(h.events[1].version == 2U);
  BOOST_TEST(h.events[1].type == "bank.capnp:Debited");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace evolution_tests
