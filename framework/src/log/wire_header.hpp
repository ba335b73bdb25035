// How a header lies in a record (record.hpp): this, then its name, then its value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace kappa::detail {

struct wire_header_head {
  std::uint16_t name_size = 0;
  std::uint16_t zero = 0;
  std::uint32_t value_size = 0;

  /// Of the whole header.
  [[nodiscard]] std::size_t size() const {
    return sizeof *this + std::size_t{name_size} + value_size;
  }
};
static_assert(sizeof(wire_header_head) == 8);

/// The bytes need not be aligned.
[[nodiscard]] inline wire_header_head read_header_head(const char* at) {
  wire_header_head head;
  std::memcpy(&head, at, sizeof head);
  return head;
}

}  // namespace kappa::detail
