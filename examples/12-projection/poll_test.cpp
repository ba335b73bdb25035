// A whole app in a test: aggregates are asked, and what streams make of their events is read.
#define BOOST_TEST_MODULE poll
#include <boost/test/unit_test.hpp>

#include "kappa/testing/driver.hpp"
#include "poll_app.hpp"

using kappa::testing::driver;

// [driver]
BOOST_AUTO_TEST_CASE(who_changes_a_vote_takes_it_from_the_other_choice) {
  driver d{poll::poll_app()};
  d.ask<poll::voter>("ann", poll::vote{"tea"});
  d.ask<poll::voter>("bob", poll::vote{"tea"});
  d.ask<poll::voter>("ann", poll::vote{"coffee"});
  BOOST_TEST(d.get<std::int64_t>("tally", "tea").value() == 1);
  BOOST_TEST(d.get<std::int64_t>("tally", "coffee").value() == 1);
  BOOST_TEST(d.ask<poll::voter>("bob", poll::vote{""}).why_not() == "a vote has a choice");
}
// [/driver]
