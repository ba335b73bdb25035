#include "kappa/serialization/evolution.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "description.hpp"
#include "kappa/core/parse_number.hpp"

namespace kappa {
namespace {

using detail::described_field;
using detail::described_struct;

bool inside(std::string_view& type, std::string_view prefix, std::string_view suffix) {
  if (!type.starts_with(prefix) || !type.ends_with(suffix)) return false;
  type.remove_prefix(prefix.size());
  type.remove_suffix(suffix.size());
  return true;
}

/// What is on the wire: a time is an integer, and an enum's names may be added to and changed.
std::string_view on_wire(std::string_view type) {
  if (type == "Time") return "Int64";
  if (type.starts_with("Enum#")) return "Enum";
  return type;
}

/// A pointer's default without the value behind its digest: fields appended to the default's own
/// type change nothing.
std::string_view told(std::string_view fallback) {
  return fallback.starts_with('#') ? fallback.substr(0, fallback.find(':')) : fallback;
}

/// As it was written in the schema.
std::string readable_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c != '|') out.push_back(c);
  }
  return out;
}

std::map<unsigned, const described_field*> by_ordinal(const described_struct& s) {
  std::map<unsigned, const described_field*> out;
  for (const auto& f : s.fields) out.emplace(f.ordinal, &f);
  return out;
}

class comparison {
 public:
  comparison(const schema_info& present, const schema_info& stored, read_as as)
      : present_{present}, stored_{stored}, as_{as} {}

  result<void> run() {
    auto present = detail::parse_description(present_.description);
    auto stored = detail::parse_description(stored_.description);
    if (!present || !stored) {
      return refuse("the stored schema is not one that this version of Kappa knows");
    }
    if (present_.id != stored_.id) {
      return refuse(fmt::format(
          "the stored data is of {} (@{:#x}), another type than {} (@{:#x}); a type that was "
          "renamed or moved keeps its id when it is written behind the new name",
          stored_.name, stored_.id, present_.name, present_.id));
    }
    present_shapes_ = std::move(present->structs);
    stored_shapes_ = std::move(stored->structs);
    if (auto same = structs(0, 0); !same) return same;
    return tombstones();
  }

 private:
  [[nodiscard]] result<void> refuse(std::string why) const {
    return fail(errc::incompatible, present_.name, std::move(why));
  }

  // Of the same events another state would be made.
  [[nodiscard]] result<void> tombstones() const {
    const auto& was = stored_shapes_.front();
    const auto& is = present_shapes_.front();
    if (is.tombstone == was.tombstone) return {};
    if (is.tombstone) {
      return refuse(
          fmt::format("{} was no $Kappa.tombstone and is one: a replay would delete what "
                      "has had it",
                      is.name));
    }
    return refuse(
        fmt::format("{} was a $Kappa.tombstone and is none: a replay would keep what it "
                    "has deleted (a former event keeps the mark)",
                    is.name));
  }

  result<void> structs(std::size_t present, std::size_t stored) {
    if (present >= present_shapes_.size() || stored >= stored_shapes_.size()) {
      return refuse("a schema refers to a struct that it does not hold");
    }
    if (!seen_.emplace(present, stored).second) return {};
    const auto& was = stored_shapes_[stored];
    const auto& is = present_shapes_[present];
    const auto fields_now = by_ordinal(is);
    for (const auto& [ordinal, old] : by_ordinal(was)) {
      const auto found = fields_now.find(ordinal);
      if (found == fields_now.end()) {
        if (as_ == read_as::events) continue;
        return refuse(
            fmt::format("field '{}' (@{}) of {} is gone: it was removed, or the data is of a newer "
                        "version. A field that "
                        "is not used any more stays in the schema (rename it, say to {}Obsolete)",
                        readable_name(old->name), ordinal, is.name, readable_name(old->name)));
      }
      if (auto same = fields(is, ordinal, *found->second, *old); !same) return same;
    }
    return {};
  }

  result<void> fields(const described_struct& in, unsigned ordinal, const described_field& is,
                      const described_field& was) {
    const auto name = readable_name(is.name);
    const auto old_name = readable_name(was.name);
    const auto subject = fmt::format("field '{}' (@{}) of {}", name, ordinal, in.name);
    const auto renamed = name == old_name ? "" : fmt::format(" (stored as '{}')", old_name);
    if (auto same = types(subject + renamed, is.type, was.type); !same) return same;
    if (is.place != was.place) {
      return refuse(fmt::format("{}{} has moved from {} to {}: fields may not be renumbered",
                                subject, renamed, was.place, is.place));
    }
    if (told(is.fallback) != told(was.fallback)) {
      return refuse(fmt::format("{}{} has another default ({} was {}): stored values would change",
                                subject, renamed, told(is.fallback), told(was.fallback)));
    }
    if (is.when != was.when && !moved_into_new_union(is.when, was.when)) {
      return refuse(fmt::format("{}{} has moved into, out of or within a union", subject, renamed));
    }
    return {};
  }

  /// A field may become the first alternative of a new union: old data has zero as discriminant.
  static bool moved_into_new_union(std::string_view is, std::string_view was) {
    if (was != "-") {
      if (!is.starts_with(was) || is.size() <= was.size() || is[was.size()] != '/') return false;
      is.remove_prefix(was.size() + 1);
    }
    while (!is.empty()) {
      const auto end = is.find('/');
      if (!is.substr(0, end).ends_with(":0")) return false;
      is.remove_prefix(end == std::string_view::npos ? is.size() : end + 1);
    }
    return true;
  }

  result<void> types(const std::string& subject, std::string_view is, std::string_view was) {
    auto is_inner = is;
    auto was_inner = was;
    if (inside(is_inner, "Struct#", "") && inside(was_inner, "Struct#", "")) {
      std::size_t present = 0;
      std::size_t stored = 0;
      if (!parse_number(is_inner, present) || !parse_number(was_inner, stored))
        return refuse("a schema is damaged");
      return structs(present, stored);
    }
    is_inner = is;
    was_inner = was;
    if (inside(is_inner, "List(", ")") && inside(was_inner, "List(", ")")) {
      if (became_first_field(is_inner, was_inner)) return {};
      return types(subject, is_inner, was_inner);
    }
    if (on_wire(is) == on_wire(was)) return {};
    return refuse(fmt::format("{} was {} and is {}: a field's type may not change", subject,
                              readable(was, stored_shapes_), readable(is, present_shapes_)));
  }

  /// List(Text) may become List(S) when S's @0 is a Text. (Lists of Bool may not.)
  [[nodiscard]] bool became_first_field(std::string_view is, std::string_view was) const {
    if (was.starts_with("Struct#") || was == "Bool" || !inside(is, "Struct#", "")) return false;
    std::size_t index = 0;
    if (!parse_number(is, index) || index >= present_shapes_.size()) return false;
    const auto fields = by_ordinal(present_shapes_[index]);
    const auto first = fields.find(0);
    return first != fields.end() && on_wire(first->second->type) == on_wire(was) &&
           first->second->fallback == "-" &&
           (first->second->place == "d0" || first->second->place == "p0");
  }

  /// "List(Struct#1)" → "List(flights.capnp:Leg)"
  static std::string readable(std::string_view type, const std::vector<described_struct>& shapes) {
    const auto at = type.find("Struct#");
    if (at == std::string_view::npos) return std::string{on_wire(type)};
    const auto digits = type.substr(at + 7, type.find(')', at) - at - 7);
    std::size_t index = 0;
    if (!parse_number(digits, index) || index >= shapes.size()) return std::string{type};
    return fmt::format("{}{}{}", type.substr(0, at), shapes[index].name,
                       type.substr(at + 7 + digits.size()));
  }

  const schema_info& present_;
  const schema_info& stored_;
  const read_as as_;
  std::vector<described_struct> present_shapes_;
  std::vector<described_struct> stored_shapes_;
  std::set<std::pair<std::size_t, std::size_t>> seen_;
};

}  // namespace

result<void> capnp_can_read(const schema_info& present, const schema_info& stored, read_as as) {
  return comparison{present, stored, as}.run();
}

}  // namespace kappa
