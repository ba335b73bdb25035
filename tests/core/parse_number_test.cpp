#include <cstdint>
#include <limits>
#include <string>

#include <boost/test/unit_test.hpp>

#include "kappa/core/parse_number.hpp"

using kappa::parse_number;

BOOST_AUTO_TEST_SUITE(numbers_in_text)

BOOST_AUTO_TEST_CASE(a_text_that_is_a_number_is_read) {
  std::int32_t small = 0;
  BOOST_TEST(parse_number("-2147483648", small));
  BOOST_TEST(small == std::numeric_limits<std::int32_t>::min());
  std::uint64_t large = 0;
  BOOST_TEST(parse_number("18446744073709551615", large));
  BOOST_TEST(large == std::numeric_limits<std::uint64_t>::max());
  BOOST_TEST(parse_number("00ff", large, 16));
  BOOST_TEST(large == 255u);
  double fraction = 0;
  BOOST_TEST(parse_number("-2.5e3", fraction));
  BOOST_TEST(fraction == -2500.0);
}

BOOST_AUTO_TEST_CASE(any_other_text_is_refused_and_changes_nothing) {
  for (const std::string text :
       {"", " ", "1 ", " 1", "+1", "1x", "x", "0x1", "1.0", "--1", "128", "-129"}) {
    std::int8_t value = 77;
    BOOST_TEST(!parse_number(text, value), "'" << text << "'");
    BOOST_TEST(int{value} == 77);
  }
  std::uint16_t none = 77;
  BOOST_TEST(!parse_number("-1", none));
  BOOST_TEST(none == 77);
  double fraction = 77;
  for (const std::string text : {"", "1,5", "1e999", "1.5 "})
    BOOST_TEST(!parse_number(text, fraction));
  BOOST_TEST(fraction == 77);
}

BOOST_AUTO_TEST_SUITE_END()
