// Values of generated types, and descriptions of schemas.

#include "everything.kappa.hpp"
#include "fuzz/fuzz.hpp"
#include "fuzz/written_again.hpp"
#include "kappa/serialization/evolution.hpp"

namespace kappa::fuzz {
namespace {

void descriptions(script s) {
  const auto as = s.byte() % 2 == 0 ? read_as::state : read_as::events;
  const auto present = codec<everything::everything>::schema();
  auto stored = present;
  expect(capnp_can_read(present, stored, as).has_value(), "a schema reads itself");
  stored.description = s.rest();
  for (const auto& [reader, writer] :
       {std::pair{present, stored}, std::pair{stored, present}, std::pair{stored, stored}}) {
    const auto can = capnp_can_read(reader, writer, as);
    if (!can) expect(!can.error().message.empty(), "why not is said");
  }
}

}  // namespace

void capnp(bytes_view in) {
  script s{in};
  switch (s.byte() % 5) {
    case 0:
      return written_again<everything::everything>(s.rest());
    case 1:
      return written_again<everything::tree>(s.rest());
    case 2:
      return written_again<everything::shape>(s.rest());
    case 3:
      return written_again<everything::defaults>(s.rest());
    default:
      return descriptions(s);
  }
}

}  // namespace kappa::fuzz
