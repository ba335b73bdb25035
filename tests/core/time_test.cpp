#include "kappa/core/time.hpp"

#include <boost/test/unit_test.hpp>

using namespace kappa;

BOOST_AUTO_TEST_SUITE(times)

BOOST_AUTO_TEST_CASE(a_time_is_written_as_it_is_read) {
  for (const auto* text :
       {"0000-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00Z",
        "2001-01-01T08:10:20Z", "9999-12-31T23:59:59.999Z"}) {
    BOOST_TEST(format_time(parse_time(text).value()) == text);
  }
}

BOOST_AUTO_TEST_CASE(a_time_beyond_four_digit_years_is_written_in_milliseconds) {
  BOOST_TEST(format_time(timestamp{milliseconds{253'402'300'800'000}}) == "253402300800000ms");
  BOOST_TEST(format_time(timestamp{milliseconds{INT64_MAX - 1}}) == "9223372036854775806ms");
  BOOST_TEST(format_time(timestamp{milliseconds{INT64_MIN + 1}}) == "-9223372036854775807ms");
  BOOST_TEST(format_time(min_time) == "-inf");
  BOOST_TEST(format_time(max_time) == "+inf");
}

BOOST_AUTO_TEST_SUITE_END()
