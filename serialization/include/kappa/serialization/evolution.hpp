// Whether one version of a schema can read what another wrote, by Cap'n Proto's rules.
//
// Generated types describe themselves in text, one line a field, the root struct first:
//
//   capnp 1
//   struct 0 flights.capnp:Flight
//   @1 Int32 d2 0 - delay            ordinal, type, place, default, union, name
//   @3 List(Struct#1) p0 - 8:2 plan.legs
//   struct 1 flights.capnp:Leg
//
// Places: `d2` the data field at 2 times its size, `p0` pointer 0, `-` none (Void). Union:
// discriminant's offset:value, `/` from outer to inner. A default that is a pointer is a digest.
#pragma once

#include "kappa/core/error.hpp"
#include "kappa/core/schema_info.hpp"

namespace kappa {

/// Appended fields and renames are fine; a changed type, place, default or union, and a field that
/// is gone are refused, naming it. Under `read_as::events` fields that `present` lacks are fine.
[[nodiscard]] result<void> capnp_can_read(const schema_info& present, const schema_info& stored,
                                          read_as as);

}  // namespace kappa
