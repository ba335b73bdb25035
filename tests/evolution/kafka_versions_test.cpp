// Versions of the bank one after the other on Kafka: by name only, for the long run.
#include "evolution/story.hpp"
#include "support/kafka_broker.hpp"

namespace versions_on_kafka {

namespace {

using namespace evolution_tests;

}  // namespace

BOOST_AUTO_TEST_SUITE(versions_on_kafka, *boost::unit_test::disabled())

BOOST_AUTO_TEST_CASE(forward_over_appended_renamed_and_split_events_and_not_back_again) {
  const kappa::testing::kafka_broker broker;
  bank_place b{{.kafka = "kafka://" + broker.bootstrap()}};
  memory m;
  b.start<first>();
  open_accounts<first>(b, m);
  transfers(b, m, 0, 6);
  const auto then = books_of<first>(b);
  b.start<appended>();
  BOOST_TEST(books_of<appended>(b) == then, boost::test_tools::per_element());
  transfers(b, m, 6, 9);
  b.start<first>();  // back over appended fields
  check_answers<first>(b, m);
  transfers(b, m, 9, 12);
  const auto later = books_of<first>(b);
  b.lose_states();
  b.start<second>();
  BOOST_TEST(books_of<second>(b) == later, boost::test_tools::per_element());
  check_answers<second>(b, m);
  transfers(b, m, 12, 18);
  const auto last = books_of<second>(b);
  b.stop();
  const auto name = first_of(*b.log(), "accounts", {"bank.capnp:Debited", "bank.capnp:Opened"});
  const auto ends = ends_of(*b.log());
  BOOST_TEST(refused(b.try_start<first>(), errc::refused_start,
                     {name, "it is a bank.capnp:Debited", "$Kappa.formerEvent with an upcast"}));
  BOOST_TEST((ends_of(*b.log()) == ends));  // nothing was written
  b.start<second>();
  BOOST_TEST(books_of<second>(b) == last, boost::test_tools::per_element());
  b.stop();
  check_audit(b, accepted(m));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace versions_on_kafka
