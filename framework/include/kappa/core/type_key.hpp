// What a type is known by from version to version: its id, and then it may have another name by
// now; where it has no id, its name.
//
// Threading: plain values.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace kappa::detail {

struct type_key {
  std::uint64_t id = 0;
  std::string name;  // empty: the id counts
  friend auto operator<=>(const type_key&, const type_key&) = default;
};

/// Of a schema_info, or of a schema_reference.
template <class Schema>
[[nodiscard]] type_key key_of_type(const Schema& s) {
  return {s.id, s.id == 0 ? s.name : std::string{}};
}

}  // namespace kappa::detail
