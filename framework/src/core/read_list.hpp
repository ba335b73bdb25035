// A list in an encoded value: u32 how many, then each.
#pragma once

#include <cstdint>

#include "kappa/core/bytes.hpp"

namespace kappa::detail {

/// Calls `each` so often. A list longer than the bytes that are left is malformed: the reader fails
/// before anything is reserved.
template <class F>
void read_list(byte_reader& r, F each) {
  const auto n = r.get<std::uint32_t>();
  if (n > r.rest().size()) r.fail();
  for (std::uint32_t i = 0; i < n && r.ok(); ++i) each();
}

}  // namespace kappa::detail
