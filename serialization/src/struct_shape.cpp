#include "struct_shape.hpp"

#include <charconv>
#include <optional>
#include <utility>

#include "kappa/core/parse_number.hpp"

namespace kappa::detail {
namespace {

const std::map<std::string_view, field_kind> plain_kinds = {
    {"Void", field_kind::nothing},
    {"Bool", field_kind::boolean},
    {"Int8", field_kind::int8},
    {"Int16", field_kind::int16},
    {"Int32", field_kind::int32},
    {"Int64", field_kind::int64},
    {"UInt8", field_kind::uint8},
    {"UInt16", field_kind::uint16},
    {"UInt32", field_kind::uint32},
    {"UInt64", field_kind::uint64},
    {"Float32", field_kind::float32},
    {"Float64", field_kind::float64},
    {"Time", field_kind::time},
    {"Text", field_kind::text},
    {"Data", field_kind::data},
    {"PersonalText", field_kind::personal_text},
    {"PersonalData", field_kind::personal_data},
};

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    unsigned byte = 0;
    const auto r = std::from_chars(text.data() + i, text.data() + i + 2, byte, 16);
    if (r.ec != std::errc{} || r.ptr != text.data() + i + 2) return std::nullopt;
    out.push_back(static_cast<char>(byte));
  }
  return out;
}

}  // namespace

bool is_pointer(const field_type& t) {
  return t.what == field_kind::text || t.what == field_kind::data ||
         t.what == field_kind::personal_text || t.what == field_kind::personal_data ||
         t.what == field_kind::list || t.what == field_kind::structure;
}

std::shared_ptr<const struct_shape> struct_shape::make(std::string description) {
  std::shared_ptr<struct_shape> made{new struct_shape{std::move(description)}};
  if (!made->build()) return nullptr;
  return made;
}

bool struct_shape::build() {
  auto parsed = parse_description(text_);
  if (!parsed) return false;
  described_ = std::move(*parsed);
  for (const auto& s : described_.structs) {
    structs_.emplace_back();
    for (const auto& f : s.fields) {
      if (!add(structs_.back(), f, f.name, f.when)) return false;
    }
  }
  return true;
}

bool struct_shape::type_of(std::string_view text, field_type& out, int levels) const {
  if (levels > most_shape_levels) return false;
  if (const auto plain = plain_kinds.find(text); plain != plain_kinds.end()) {
    out.what = plain->second;
    return true;
  }
  if (text.starts_with("List(") && text.ends_with(")")) {
    auto element = std::make_shared<field_type>();
    if (!type_of(text.substr(5, text.size() - 6), *element, levels + 1)) return false;
    if (element->what == field_kind::nothing) return false;
    out.what = field_kind::list;
    out.element = std::move(element);
    return true;
  }
  const auto hash = text.find('#');
  if (hash == std::string_view::npos || !parse_number(text.substr(hash + 1), out.index)) {
    return false;
  }
  if (text.substr(0, hash) == "Struct") {
    out.what = field_kind::structure;
    return out.index < described_.structs.size();
  }
  out.what = field_kind::enumeration;
  return text.substr(0, hash) == "Enum" && out.index < described_.enums.size();
}

// The field's place in its groups: `a.|b.c` is c in the alternative b, a group too, of the union
// in group a. `when` has a "discriminant's offset:value" for each `|`.
bool struct_shape::add(field_group& to, const described_field& f, std::string_view name,
                       std::string_view when) const {
  const auto dot = name.find('.');
  auto head = name.substr(0, dot);
  auto* place = &to.members;
  shaped_field* found = nullptr;
  if (head.starts_with('|')) {
    head.remove_prefix(1);
    const auto end = when.find('/');
    const auto condition = when.substr(0, end);
    when = end == std::string_view::npos ? std::string_view{} : when.substr(end + 1);
    const auto colon = condition.find(':');
    std::uint16_t value = 0;
    if (colon == std::string_view::npos ||
        !parse_number(condition.substr(0, colon), to.discriminant) ||
        !parse_number(condition.substr(colon + 1), value)) {
      return false;
    }
    const auto [at, is_new] = to.alternatives.try_emplace(value);
    found = &at->second;
    if (!is_new && (dot == std::string_view::npos || found->name != head)) return false;
  } else {
    // A group's fields may be apart in the list: only the last one could be it, and is.
    if (dot != std::string_view::npos && !place->empty() && place->back().name == head) {
      found = &place->back();
    } else {
      found = &place->emplace_back();
    }
  }
  found->name = head;
  if (dot != std::string_view::npos) {
    if (!found->inside) found->inside = std::make_unique<field_group>();
    return add(*found->inside, f, name.substr(dot + 1), when);
  }
  return !found->inside && set(*found, f);
}

bool struct_shape::set(shaped_field& to, const described_field& f) const {
  if (!type_of(f.type, to.of)) return false;
  if (to.of.what == field_kind::nothing) return true;
  const char sort = is_pointer(to.of) ? 'p' : 'd';
  if (f.place.empty() || f.place[0] != sort || !parse_number(f.place.substr(1), to.place)) {
    return false;
  }
  if (f.fallback == "-") return true;
  if (!is_pointer(to.of)) {
    to.fallback = f.fallback;
    return true;
  }
  const auto colon = f.fallback.find(':');
  if (colon == std::string_view::npos) return false;
  auto message = from_hex(f.fallback.substr(colon + 1));
  if (!message || message->empty()) return false;
  to.fallback = std::move(*message);
  return true;
}

}  // namespace kappa::detail
