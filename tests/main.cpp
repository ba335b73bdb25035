// The one main() of all Boost.Test programs.
#define BOOST_TEST_MODULE kappa
#include <boost/test/unit_test.hpp>
