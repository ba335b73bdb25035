// Event time in tests.
#define BOOST_TEST_MODULE silence
#include <boost/test/unit_test.hpp>

#include "kappa/testing/driver.hpp"
#include "kappa/testing/given.hpp"
#include "ship.hpp"

namespace {

using std::chrono::minutes;
const kappa::timestamp noon{std::chrono::hours{24 * 365 * 30 + 12}};

}  // namespace

// [test]
BOOST_AUTO_TEST_CASE(a_ship_is_silent_after_an_hour_and_is_heard_of_again) {
  kappa::testing::given<ship>()
      .when(report_position{noon})
      .then_event_deadline(noon + minutes{60})
      .when_event_deadline()
      .then(fell_silent{})
      .then_event_deadline(std::nullopt)
      .when(report_position{noon + minutes{90}})
      .then_state([](const ship& s) { return !s.silent; });
}
// [/test]

BOOST_AUTO_TEST_CASE(reports_of_one_ship_tell_that_another_is_silent) {
  kappa::testing::driver d{ships_app()};
  d.ask<ship>("anna", report_position{noon});
  d.ask<ship>("bertha", report_position{noon + minutes{59}});
  BOOST_TEST(!d.entry<ship>("anna")->state.silent);
  d.ask<ship>("bertha", report_position{noon + minutes{60}});
  BOOST_TEST(d.entry<ship>("anna")->state.silent);
  BOOST_TEST(!d.entry<ship>("bertha")->state.silent);
}
