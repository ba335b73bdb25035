#include <fmt/format.h>

#include <kappa/version.hpp>

#ifdef OUTSIDE_HAS_SCHEMA
#include "flights.kappa.hpp"
#endif

int main() {
#ifdef OUTSIDE_HAS_SCHEMA
  const flight one{.scheduled = kappa::timestamp{kappa::milliseconds{978307200000}},
                   .delay = 5,
                   .distance = 700,
                   .origin = "ORD"};
  if (one != flight{one}) {
    return 1;
  }
#endif
  fmt::print("outside: kappa {}\n", kappa::version::text);
}
