// What a codec says of the type it encodes, so that stored bytes are never read as another type.
//
// Threading: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kappa/core/error.hpp"

namespace kappa {

/// What the reader does with what it reads. State is written back, so a field that the present type
/// does not know would be lost: refused. Events are only read: such a field is passed over.
enum class read_as { state, events };

/// Identity and shape of an encoded type. `description` is the shape in a text form that the
/// codec family understands; it is stored beside the data.
struct schema_info {
  std::string name;               // "flights.capnp:HourStats", "string", "int64"
  std::uint64_t id = 0;           // Cap'n Proto's type id, or 0
  std::uint64_t fingerprint = 0;  // of the description
  std::string description;

  /// Whether the present type (this) can read what `stored` wrote. An error names field and
  /// reason. Null: only an equal description can be read.
  using can_read_fn = result<void> (*)(const schema_info& present, const schema_info& stored,
                                       read_as as);
  can_read_fn can_read = nullptr;
};

/// Applies `present.can_read`, or plain equality of name and description.
[[nodiscard]] result<void> check_readable(const schema_info& present, const schema_info& stored,
                                          read_as as = read_as::state);

}  // namespace kappa
