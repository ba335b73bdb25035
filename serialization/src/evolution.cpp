#include "kappa/serialization/evolution.hpp"

#include <charconv>
#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace kappa {
namespace {

struct field {
  std::string_view type;
  std::string_view place;
  std::string_view fallback;
  std::string_view when;  // which alternatives of which unions
  std::string_view name;
};

struct shape {
  std::string_view name;
  std::map<unsigned, field> fields;  // by ordinal
};

/// The next word of `line`; the last one is what is left.
std::string_view word(std::string_view& line) {
  const auto end = line.find(' ');
  const auto w = line.substr(0, end);
  line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
  return w;
}

template <class T>
bool number(std::string_view text, T& v) {
  const auto r = std::from_chars(text.data(), text.data() + text.size(), v);
  return !text.empty() && r.ec == std::errc{} && r.ptr == text.data() + text.size();
}

/// False when the description is not of this format: written by a newer Kappa, or no schema.
bool parse(std::string_view text, std::vector<shape>& out) {
  if (!text.starts_with("capnp 1\n")) return false;
  text.remove_prefix(8);
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return false;
    auto line = text.substr(0, end);
    text.remove_prefix(end + 1);
    const auto head = word(line);
    if (head == "struct") {
      std::size_t index = 0;
      if (!number(word(line), index) || index != out.size()) return false;
      out.push_back({line, {}});
      continue;
    }
    unsigned ordinal = 0;
    if (out.empty() || !head.starts_with('@') || !number(head.substr(1), ordinal)) return false;
    field f;
    f.type = word(line);
    f.place = word(line);
    f.fallback = word(line);
    f.when = word(line);
    f.name = line;
    if (f.name.empty() || !out.back().fields.emplace(ordinal, f).second) return false;
  }
  return !out.empty();
}

bool inside(std::string_view& type, std::string_view prefix, std::string_view suffix) {
  if (!type.starts_with(prefix) || !type.ends_with(suffix)) return false;
  type.remove_prefix(prefix.size());
  type.remove_suffix(suffix.size());
  return true;
}

class comparison {
 public:
  comparison(const schema_info& present, const schema_info& stored, read_as as)
      : present_{present}, stored_{stored}, as_{as} {}

  result<void> run() {
    if (!parse(present_.description, present_shapes_) ||
        !parse(stored_.description, stored_shapes_)) {
      return refuse("the stored schema is not one that this version of Kappa knows");
    }
    if (present_.id != stored_.id) {
      return refuse(fmt::format(
          "the stored data is of {} (@{:#x}), another type than {} (@{:#x}); a type that was "
          "renamed or moved keeps its id when it is written behind the new name",
          stored_.name, stored_.id, present_.name, present_.id));
    }
    return structs(0, 0);
  }

 private:
  [[nodiscard]] result<void> refuse(std::string why) const {
    return fail(errc::incompatible, present_.name, std::move(why));
  }

  result<void> structs(std::size_t present, std::size_t stored) {
    if (present >= present_shapes_.size() || stored >= stored_shapes_.size()) {
      return refuse("a schema refers to a struct that it does not hold");
    }
    if (!seen_.emplace(present, stored).second) return {};
    const auto& was = stored_shapes_[stored];
    const auto& is = present_shapes_[present];
    for (const auto& [ordinal, old] : was.fields) {
      const auto found = is.fields.find(ordinal);
      if (found == is.fields.end()) {
        if (as_ == read_as::events) continue;
        return refuse(
            fmt::format("field '{}' (@{}) of {} is gone: it was removed, or the data is of a newer "
                        "version. A field that "
                        "is not used any more stays in the schema (rename it, say to {}Obsolete)",
                        old.name, ordinal, is.name, old.name));
      }
      if (auto same = fields(is, ordinal, found->second, old); !same) return same;
    }
    return {};
  }

  result<void> fields(const shape& in, unsigned ordinal, const field& is, const field& was) {
    const auto subject = fmt::format("field '{}' (@{}) of {}", is.name, ordinal, in.name);
    const auto renamed = is.name == was.name ? "" : fmt::format(" (stored as '{}')", was.name);
    if (auto same = types(subject + renamed, is.type, was.type); !same) return same;
    if (is.place != was.place) {
      return refuse(fmt::format("{}{} has moved from {} to {}: fields may not be renumbered",
                                subject, renamed, was.place, is.place));
    }
    if (is.fallback != was.fallback) {
      return refuse(fmt::format("{}{} has another default ({} was {}): stored values would change",
                                subject, renamed, is.fallback, was.fallback));
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
      if (!number(is_inner, present) || !number(was_inner, stored))
        return refuse("a schema is damaged");
      return structs(present, stored);
    }
    is_inner = is;
    was_inner = was;
    if (inside(is_inner, "List(", ")") && inside(was_inner, "List(", ")")) {
      if (became_first_field(is_inner, was_inner)) return {};
      return types(subject, is_inner, was_inner);
    }
    if (is == was) return {};
    return refuse(fmt::format("{} was {} and is {}: a field's type may not change", subject,
                              readable(was, stored_shapes_), readable(is, present_shapes_)));
  }

  /// List(Text) may become List(S) when S's @0 is a Text. (Lists of Bool may not.)
  [[nodiscard]] bool became_first_field(std::string_view is, std::string_view was) const {
    if (was.starts_with("Struct#") || was == "Bool" || !inside(is, "Struct#", "")) return false;
    std::size_t index = 0;
    if (!number(is, index) || index >= present_shapes_.size()) return false;
    const auto& fields = present_shapes_[index].fields;
    const auto first = fields.find(0);
    return first != fields.end() && first->second.type == was && first->second.fallback == "-" &&
           (first->second.place == "d0" || first->second.place == "p0");
  }

  /// "List(Struct#1)" → "List(flights.capnp:Leg)"
  static std::string readable(std::string_view type, const std::vector<shape>& shapes) {
    const auto at = type.find("Struct#");
    if (at == std::string_view::npos) return std::string{type};
    const auto digits = type.substr(at + 7, type.find(')', at) - at - 7);
    std::size_t index = 0;
    if (!number(digits, index) || index >= shapes.size()) return std::string{type};
    return fmt::format("{}{}{}", type.substr(0, at), shapes[index].name,
                       type.substr(at + 7 + digits.size()));
  }

  const schema_info& present_;
  const schema_info& stored_;
  const read_as as_;
  std::vector<shape> present_shapes_;
  std::vector<shape> stored_shapes_;
  std::set<std::pair<std::size_t, std::size_t>> seen_;
};

}  // namespace

result<void> capnp_can_read(const schema_info& present, const schema_info& stored, read_as as) {
  return comparison{present, stored, as}.run();
}

}  // namespace kappa
