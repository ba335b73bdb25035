// One new idea: the test driver. It runs an app on a log in memory, on the test's own thread, and
// event time stands still until the test moves it: no sleeps, no flaky tests.
//
// When a driver goes, it runs the same script twice more, with a crash at every commit, and
// compares topics and state. Nobody has to ask for it.
#define BOOST_TEST_MODULE weather
#include <boost/test/unit_test.hpp>

#include "kappa/testing/driver.hpp"
#include "weather_app.hpp"

using kappa::testing::driver;
using kappa::testing::ts;

namespace {

// [app]
// The pipeline of 02-windows, fed from a topic instead of a file.
kappa::app app_under_test() {
  kappa::app app{"weather"};
  highest_by_hour(app.stream<reading>("readings"));
  return app;
}
// [/app]

reading oslo(const char* at, int celsius) {
  return {.at = ts(at), .station = "oslo", .celsius = celsius};
}

}  // namespace

// [closes]
BOOST_AUTO_TEST_CASE(an_hour_closes_when_the_watermark_passes_its_end_and_lateness) {
  driver driver{app_under_test()};
  driver.send("readings", oslo("2024-01-10T08:05", -4));
  driver.advance_event_time(ts("2024-01-10T09:09"));
  BOOST_TEST(driver.read<hour>("hours").empty());
  driver.advance_event_time(ts("2024-01-10T09:10"));
  BOOST_TEST(driver.read<hour>("hours").size() == 1u);
}
// [/closes]

BOOST_AUTO_TEST_CASE(a_record_out_of_order_counts_until_its_hour_has_closed) {
  driver driver{app_under_test()};
  driver.send("readings", oslo("2024-01-10T08:05", -4));
  driver.send("readings", oslo("2024-01-10T09:05", 1));
  driver.send("readings", oslo("2024-01-10T08:55", 3));  // late, but within the lateness
  driver.send("readings", oslo("2024-01-10T09:15", 1));  // closes the hour
  driver.send("readings", oslo("2024-01-10T08:56", 9));  // too late
  driver.end_of_input();
  BOOST_TEST(driver.read<hour>("hours").front().highest == 3);
  BOOST_TEST(driver.read<reading>("weather.hourly.late").size() == 1u);
}

// [state]
BOOST_AUTO_TEST_CASE(an_open_hour_can_be_read) {
  driver driver{app_under_test()};
  driver.send("readings", oslo("2024-01-10T08:05", -4));
  const auto open = driver.get<hour>("hourly", std::string{"oslo"}, ts("2024-01-10T08:00"));
  BOOST_TEST(open->highest == -4);
}
// [/state]

// [crash]
BOOST_AUTO_TEST_CASE(a_crash_changes_nothing) {
  driver driver{app_under_test()};
  driver.send("readings", oslo("2024-01-10T08:05", -4));
  driver.restart();  // everything that was in memory is gone
  driver.send("readings", oslo("2024-01-10T08:45", -1));
  driver.end_of_input();
  const auto hours = driver.read<hour>("hours");
  BOOST_TEST(hours.size() == 1u);
  BOOST_TEST(hours.front().readings == 2);
  BOOST_TEST(driver.read<std::string>("frosty-hours").front() == "oslo, 2024-01-10T08:00:00Z");
}
// [/crash]

// [bad]
BOOST_AUTO_TEST_CASE(bytes_that_are_no_reading_go_to_dead_letters) {
  driver driver{app_under_test()};
  driver.send_bytes("readings", "not a reading", ts("2024-01-10T08:05"));
  BOOST_TEST(driver.dead_letters().size() == 1u);
}
// [/bad]
