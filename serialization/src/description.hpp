// The description of a schema, taken apart (its form: kappa/serialization/evolution.hpp).
//
// Ownership: the parts point into the text. Threading: plain values.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace kappa::detail {

struct described_field {
  unsigned ordinal = 0;
  std::string_view type;
  std::string_view place;
  std::string_view fallback;
  std::string_view when;  // which alternatives of which unions
  std::string_view name;
};
struct described_struct {
  std::string_view name;
  std::vector<described_field> fields;  // in the order of the schema; no ordinal twice
  bool tombstone = false;               // the root only
};
struct described_enum {
  std::string_view name;
  std::vector<std::string_view> values;
};
struct description {
  std::vector<described_struct> structs;  // the root first; not empty
  std::vector<described_enum> enums;
};

/// Nothing when it is not of this form: written by another version of Kappa, or no schema.
[[nodiscard]] std::optional<description> parse_description(std::string_view text);

}  // namespace kappa::detail
