// Events of the first version are upcast in a scenario as in a replay.
#define BOOST_TEST_MODULE order
#include <boost/test/unit_test.hpp>

#include "kappa/testing/given.hpp"
#include "order.hpp"

using kappa::testing::given;

// [given]
BOOST_AUTO_TEST_CASE(an_order_of_the_first_version_is_shipped_by_the_second) {
  given<order>(ordered{"book", true})
      .then_state([](const order& o) { return o.item == "book" && o.is_present; })
      .when(ship_order{})
      .then(shipped{"post"});
}
// [/given]

BOOST_AUTO_TEST_CASE(an_event_of_the_log_is_one_version_also_where_it_becomes_two) {
  BOOST_TEST(given<order>(ordered{"book", true}).version() == 1U);
  BOOST_TEST(given<order>(placed{"book"}, wrapped{}).version() == 2U);
}
