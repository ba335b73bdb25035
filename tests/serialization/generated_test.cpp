#include <boost/test/unit_test.hpp>
#include "everything.kappa.hpp"

BOOST_AUTO_TEST_CASE(x) {
  everything::everything v;
  v.id = "abc";
  v.shapes.push_back({.id = 1, .which = everything::shape::circle{2.5}});
  auto b = kappa::encoded(v);
  auto w = kappa::codec<everything::everything>::decode(b);
  BOOST_REQUIRE(w);
  BOOST_TEST(*w == v);
  BOOST_TEST_MESSAGE(v);
  BOOST_TEST_MESSAGE(kappa::to_json(v));
  BOOST_TEST_MESSAGE(kappa::codec<everything::everything>::schema().description);
}
