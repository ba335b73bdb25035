// Deletion and expiry in tests: nobody has to wait.
#define BOOST_TEST_MODULE expiry
#include <boost/test/unit_test.hpp>

#include "cart.hpp"
#include "kappa/testing/given.hpp"

using kappa::testing::given;

// [test]
BOOST_AUTO_TEST_CASE(a_cart_that_is_discarded_is_gone) {
  given<cart>(item_added{"tea"}).when(discard{}).then(discarded{}).then_gone();
}

BOOST_AUTO_TEST_CASE(a_cart_expires_when_nothing_was_put_into_it_for_a_while) {
  const kappa::timestamp noon{std::chrono::hours{12}};
  given<cart>()
      .at(noon)
      .when(add_item{"tea"})
      .at(noon + std::chrono::seconds{1})
      .when(add_item{"milk"})
      .then_deadline(noon + std::chrono::seconds{1} + cart::idle)
      .when_deadline()
      .then(expired{})
      .then_gone()
      .then_deadline(std::nullopt);
}

BOOST_AUTO_TEST_CASE(what_comes_later_is_another_cart_and_its_version_goes_on) {
  auto s = given<cart>(item_added{"tea"}, expired{});
  s.when(add_item{"coffee"}).then_state([](const cart& c) { return c.items.size() == 1; });
  BOOST_TEST(s.version() == 3U);
}
// [/test]
