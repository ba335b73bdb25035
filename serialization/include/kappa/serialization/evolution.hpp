// Whether one version of a schema can read what another wrote, by Cap'n Proto's rules.
//
// Generated types describe themselves in text, one line a field, the root struct first, then the
// enums:
//
//   capnp 2
//   struct 0 flights.capnp:Flight
//   @1 Int32 d2 0 - delay            ordinal, type, place, default, union, name
//   @2 Enum#0 d3 0 - state
//   @3 List(Struct#1) p0 - 8:2 plan.|legs
//   struct 1 flights.capnp:Leg
//   enum 0 flights.capnp:State planned flown
//
// A line `tombstone` behind that of the root says that it is marked so.
//
// Types are Cap'n Proto's, and Time for an Int64 that is a time. Places: `d2` the data field at 2
// times its size, `p0` pointer 0, `-` none (Void). Union: discriminant's offset:value, `/` from
// outer to inner. A default that is a pointer is a digest, and behind ':' the message in
// hexadecimal that has it as its root. Names: groups and their fields; `|` before an alternative of
// a union.
//
// dynamic.hpp reads values by it.
#pragma once

#include "kappa/core/error.hpp"
#include "kappa/core/schema_info.hpp"

namespace kappa {

/// Appended fields, names of enums and renames are fine; a changed type, place, default or union,
/// and a field that is gone are refused, naming it; so is one that is a tombstone and was none, or
/// the other way round. Under `read_as::events` fields that `present`
/// lacks are fine.
[[nodiscard]] result<void> capnp_can_read(const schema_info& present, const schema_info& stored,
                                          read_as as);

}  // namespace kappa
