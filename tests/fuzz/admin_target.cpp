// Requests and replies of operators.

#include "fuzz/fuzz.hpp"
#include "fuzz/written_again.hpp"
#include "kappa/admin.kappa.hpp"

namespace kappa::fuzz {

void admin(bytes_view in) {
  script s{in};
  if (s.byte() % 2 == 0) return written_again<admin::request>(s.rest());
  written_again<admin::reply>(s.rest());
}

}  // namespace kappa::fuzz
