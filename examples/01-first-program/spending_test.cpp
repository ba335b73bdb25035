#define BOOST_TEST_MODULE spending
#include <boost/test/unit_test.hpp>

#include "kappa/testing/driver.hpp"
#include "spending_app.hpp"

using kappa::testing::ts;

BOOST_AUTO_TEST_CASE(the_orders_of_a_customer_add_up) {
  kappa::app app{"test"};
  add_up(app.stream<order>("orders"));
  kappa::testing::driver driver{app};

  driver.send("orders", order{.placed = ts("2024-05-01T09:12"), .customer = "anna", .cents = 1999});
  driver.send("orders", order{.placed = ts("2024-05-01T09:40"), .customer = "bob", .cents = -750});
  driver.send("orders", order{.placed = ts("2024-05-01T10:05"), .customer = "anna", .cents = 3401});

  BOOST_TEST(driver.read<spending>("spending").back().cents == 5400);
  BOOST_TEST(driver.get<spending>("spending", std::string{"anna"})->orders == 2);
  BOOST_TEST(driver.dead_letters().size() == 1u);
}
