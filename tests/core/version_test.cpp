#include "kappa/version.hpp"

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(version)

BOOST_AUTO_TEST_CASE(text_and_numbers_say_the_same) {
  BOOST_TEST(kappa::version::text == fmt::format("{}.{}.{}", kappa::version::major_number,
                                                 kappa::version::minor_number,
                                                 kappa::version::patch_number));
}

BOOST_AUTO_TEST_SUITE_END()
