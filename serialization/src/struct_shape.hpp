// A struct of a schema as its description tells it: fields, groups, unions, and what each is.
//
// Threading: immutable once made. Ownership: the parts point into the shape.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "description.hpp"

namespace kappa::detail {

// Of a hostile description; generated types stay far below.
inline constexpr int most_shape_levels = 256;

enum class field_kind {
  nothing,
  boolean,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  float32,
  float64,
  time,
  text,
  data,
  personal_text,
  personal_data,
  list,
  enumeration,
  structure
};

struct field_type {
  field_kind what = field_kind::nothing;
  std::shared_ptr<const field_type> element;  // of a list
  std::size_t index = 0;                      // of the struct or enum
};

[[nodiscard]] bool is_pointer(const field_type& t);

struct field_group;

struct shaped_field {
  std::string name;
  field_type of;
  std::uint32_t place = 0;
  std::string fallback;  // of a number: as text; of a pointer: a message. Empty: none
  std::unique_ptr<field_group> inside;  // not null: a group
};

struct field_group {
  std::vector<shaped_field> members;
  std::map<std::uint16_t, shaped_field> alternatives;  // by discriminant
  std::uint32_t discriminant = 0;
};

class struct_shape {
 public:
  struct_shape(const struct_shape&) = delete;
  struct_shape& operator=(const struct_shape&) = delete;

  /// Null when the description is damaged or of another version.
  [[nodiscard]] static std::shared_ptr<const struct_shape> make(std::string description);

  /// In the order of the description: the root first.
  [[nodiscard]] const std::vector<field_group>& structs() const { return structs_; }
  [[nodiscard]] std::string_view name_of_struct(std::size_t i) const {
    return described_.structs[i].name;
  }
  [[nodiscard]] const described_enum& enumeration(std::size_t i) const {
    return described_.enums[i];
  }

 private:
  explicit struct_shape(std::string text) : text_{std::move(text)} {}
  bool build();
  bool type_of(std::string_view text, field_type& out, int levels = 0) const;
  bool add(field_group& to, const described_field& f, std::string_view name,
           std::string_view when) const;
  bool set(shaped_field& to, const described_field& f) const;

  std::string text_;  // what the description's parts point into
  description described_;
  std::vector<field_group> structs_;
};

}  // namespace kappa::detail
