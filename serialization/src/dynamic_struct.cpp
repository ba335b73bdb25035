#include "dynamic_struct.hpp"

#include <charconv>
#include <limits>
#include <map>
#include <string_view>
#include <vector>

#include "description.hpp"
#include "kappa/core/parse_number.hpp"
#include "kappa/core/time.hpp"
#include "kappa/serialization/json.hpp"
#include "kappa/serialization/wire_reader.hpp"

namespace kappa::detail {
namespace {

// Of a hostile description; generated types stay far below.
constexpr int most_levels = 256;
constexpr std::size_t most_json_bytes = std::size_t{64} << 20;

enum class kind {
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
  list,
  enumeration,
  structure
};

const std::map<std::string_view, kind> plain_kinds = {
    {"Void", kind::nothing},  {"Bool", kind::boolean},    {"Int8", kind::int8},
    {"Int16", kind::int16},   {"Int32", kind::int32},     {"Int64", kind::int64},
    {"UInt8", kind::uint8},   {"UInt16", kind::uint16},   {"UInt32", kind::uint32},
    {"UInt64", kind::uint64}, {"Float32", kind::float32}, {"Float64", kind::float64},
    {"Time", kind::time},     {"Text", kind::text},       {"Data", kind::data},
};

struct type {
  kind what = kind::nothing;
  std::shared_ptr<const type> element;  // of a list
  std::size_t index = 0;                // of the struct or enum
};

bool is_pointer(const type& t) {
  return t.what == kind::text || t.what == kind::data || t.what == kind::list ||
         t.what == kind::structure;
}

struct group;

struct field {
  std::string name;
  type of;
  std::uint32_t place = 0;
  std::string fallback;           // of a number: as text; of a pointer: a message. Empty: none
  std::unique_ptr<group> inside;  // not null: a group
};

struct group {
  std::vector<field> members;
  std::map<std::uint16_t, field> alternatives;  // by discriminant
  std::uint32_t discriminant = 0;
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

class made_struct final : public dynamic_struct {
 public:
  explicit made_struct(std::string text) : text_{std::move(text)} {}

  bool build() {
    auto parsed = parse_description(text_);
    if (!parsed) return false;
    shape_ = std::move(*parsed);
    for (const auto& s : shape_.structs) {
      roots_.emplace_back();
      for (const auto& f : s.fields) {
        if (!add(roots_.back(), f, f.name, f.when)) return false;
      }
    }
    return true;
  }

  bool to_json(bytes_view message, std::string& out, std::string& problem) const override;

 private:
  class reading;

  bool type_of(std::string_view text, type& out, int levels = 0) const {
    if (levels > most_levels) return false;
    if (const auto plain = plain_kinds.find(text); plain != plain_kinds.end()) {
      out.what = plain->second;
      return true;
    }
    if (text.starts_with("List(") && text.ends_with(")")) {
      auto element = std::make_shared<type>();
      if (!type_of(text.substr(5, text.size() - 6), *element, levels + 1)) return false;
      if (element->what == kind::nothing) return false;
      out.what = kind::list;
      out.element = std::move(element);
      return true;
    }
    const auto hash = text.find('#');
    if (hash == std::string_view::npos || !parse_number(text.substr(hash + 1), out.index)) {
      return false;
    }
    if (text.substr(0, hash) == "Struct") {
      out.what = kind::structure;
      return out.index < shape_.structs.size();
    }
    out.what = kind::enumeration;
    return text.substr(0, hash) == "Enum" && out.index < shape_.enums.size();
  }

  // The field's place in its groups: `a.|b.c` is c in the alternative b, a group too, of the union
  // in group a. `when` has a "discriminant's offset:value" for each `|`.
  bool add(group& to, const described_field& f, std::string_view name, std::string_view when) {
    const auto dot = name.find('.');
    auto head = name.substr(0, dot);
    auto* place = &to.members;
    field* found = nullptr;
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
      if (!found->inside) found->inside = std::make_unique<group>();
      return add(*found->inside, f, name.substr(dot + 1), when);
    }
    return !found->inside && set(*found, f);
  }

  bool set(field& to, const described_field& f) const {
    if (!type_of(f.type, to.of)) return false;
    if (to.of.what == kind::nothing) return true;
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

  std::string text_;  // what the description's parts point into
  description shape_;
  std::vector<group> roots_;
};

class made_struct::reading {
 public:
  reading(const made_struct& t, std::string& out) : type_{t}, text_{out}, out_{out} {}

  void structure(wire::source& in, std::size_t index, const wire::struct_view& view, int levels) {
    out_.begin_object();
    if (within(in, levels)) fields(in, type_.roots_[index], view, levels);
    out_.end_object();
  }

 private:
  bool within(wire::source& in, int levels) {
    if (levels > most_levels) in.fail("it is nested too deeply");
    if (text_.size() > most_json_bytes) in.fail("it is too large as JSON");
    return in.ok();
  }

  void fields(wire::source& in, const group& g, const wire::struct_view& view, int levels) {
    for (const auto& m : g.members) {
      if (!m.inside && m.of.what == kind::nothing) continue;
      one(in, m, view, levels);
      if (!in.ok()) return;
    }
    if (g.alternatives.empty()) return;
    const auto active = g.alternatives.find(view.get<std::uint16_t>(g.discriminant));
    if (active == g.alternatives.end()) {
      view.fail(g.alternatives.begin()->second.name.c_str(),
                "a union's alternative that this version of the schema does not know");
      return;
    }
    one(in, active->second, view, levels);
  }

  void one(wire::source& in, const field& f, const wire::struct_view& view, int levels) {
    out_.member(f.name);
    if (f.inside) {
      out_.begin_object();
      fields(in, *f.inside, view, levels);
      out_.end_object();
      return;
    }
    if (is_pointer(f.of)) {
      const auto pointer = view.pointer(f.place, f.name.c_str());
      if (pointer.null() && !f.fallback.empty()) {
        fallback(in, f, levels);
      } else {
        behind(in, f.of, pointer, levels);
      }
      return;
    }
    in_place(f, view);
  }

  // A default is a message of its own.
  void fallback(wire::source& in, const field& f, int levels) {
    wire::source message{f.fallback};
    if (message.ok()) {
      behind(message, f.of, wire::pointer_view{message, message.begin(), wire::max_nesting},
             levels + 1);
    } else {
      out_.null();
    }
    if (!message.ok()) {
      in.at_field(f.name.c_str());
      in.fail("the schema's default cannot be read");
    }
  }

  void behind(wire::source& in, const type& t, const wire::pointer_view& pointer, int levels) {
    bytes_view found;
    switch (t.what) {
      case kind::text:
        if (!pointer.bytes_of(found, true)) found = {};
        return out_.text(found);
      case kind::data:
        if (!pointer.bytes_of(found, false)) found = {};
        return out_.base64(found);
      case kind::structure: {
        wire::struct_view view;
        if (!pointer.open(view)) view = wire::struct_view{in, nullptr, 0, nullptr, 0, 0};
        return structure(in, t.index, view, levels + 1);
      }
      default:
        break;
    }
    out_.begin_array();
    wire::list_view list;
    if (pointer.open(list)) elements(in, *t.element, list, levels + 1);
    out_.end_array();
  }

  void elements(wire::source& in, const type& t, const wire::list_view& list, int levels) {
    const auto each = [&](bool good, auto&& f) {
      for (std::size_t i = 0; good && i < list.size() && within(in, levels); ++i) f(i);
    };
    switch (t.what) {
      case kind::nothing:
        return;
      case kind::boolean:
        return each(list.of_bits(), [&](std::size_t i) { out_.boolean(list.bit(i)); });
      case kind::int8:
        return numbers<std::int8_t>(each, list);
      case kind::int16:
        return numbers<std::int16_t>(each, list);
      case kind::int32:
        return numbers<std::int32_t>(each, list);
      case kind::int64:
      case kind::time:  // annotations are of fields: a list's elements are integers
        return numbers<std::int64_t>(each, list);
      case kind::uint8:
        return numbers<std::uint8_t>(each, list);
      case kind::uint16:
        return numbers<std::uint16_t>(each, list);
      case kind::uint32:
        return numbers<std::uint32_t>(each, list);
      case kind::uint64:
        return numbers<std::uint64_t>(each, list);
      case kind::float32:
        return numbers<float>(each, list);
      case kind::float64:
        return numbers<double>(each, list);
      case kind::enumeration:
        return each(list.of_numbers(2),
                    [&](std::size_t i) { enumeration(t.index, list.number<std::uint16_t>(i)); });
      case kind::structure:
        return each(list.of_structs(), [&](std::size_t i) {
          wire::struct_view view;
          if (list.element(i, view)) structure(in, t.index, view, levels + 1);
        });
      case kind::text:
      case kind::data:
      case kind::list:
        return each(list.of_pointers(),
                    [&](std::size_t i) { behind(in, t, list.pointer(i), levels + 1); });
    }
  }

  template <class T, class Each>
  void numbers(const Each& each, const wire::list_view& list) {
    each(list.of_numbers(sizeof(T)), [&](std::size_t i) { number(list.number<T>(i)); });
  }

  template <class T>
  void number(T v) {
    if constexpr (std::is_floating_point_v<T>) {
      out_.number(v);
    } else if constexpr (std::is_signed_v<T>) {
      out_.integer(static_cast<std::int64_t>(v));
    } else {
      out_.integer(static_cast<std::uint64_t>(v));
    }
  }

  template <class T>
  T stored(const field& f, const wire::struct_view& view) {
    T v{};
    // What cannot be read is what a newer Kappa might write: the description tells its version.
    if (!f.fallback.empty() && !parse_number(f.fallback, v)) view.fail(f.name.c_str(), bad_default);
    return view.get<T>(f.place, v);
  }

  void in_place(const field& f, const wire::struct_view& view) {
    switch (f.of.what) {
      case kind::boolean:
        return out_.boolean(view.bit(f.place, f.fallback == "true"));
      case kind::int8:
        return number(stored<std::int8_t>(f, view));
      case kind::int16:
        return number(stored<std::int16_t>(f, view));
      case kind::int32:
        return number(stored<std::int32_t>(f, view));
      case kind::int64:
        return number(stored<std::int64_t>(f, view));
      case kind::uint8:
        return number(stored<std::uint8_t>(f, view));
      case kind::uint16:
        return number(stored<std::uint16_t>(f, view));
      case kind::uint32:
        return number(stored<std::uint32_t>(f, view));
      case kind::uint64:
        return number(stored<std::uint64_t>(f, view));
      case kind::float32:
        return number(stored<float>(f, view));
      case kind::float64:
        return number(stored<double>(f, view));
      case kind::time:
        return out_.time(timestamp{milliseconds{stored<std::int64_t>(f, view)}});
      case kind::enumeration:
        return enumeration(f.of.index, stored<std::uint16_t>(f, view));
      default:
        return out_.null();
    }
  }

  void enumeration(std::size_t index, std::uint16_t v) {
    const auto& names = type_.shape_.enums[index].values;
    v < names.size() ? out_.text(names[v]) : out_.integer(std::uint64_t{v});
  }

  static constexpr const char* bad_default = "the schema's default cannot be read";

  const made_struct& type_;
  std::string& text_;
  json_writer out_;
};

bool made_struct::to_json(bytes_view message, std::string& out, std::string& problem) const {
  const auto before = out.size();
  wire::source in{message};
  reading reads{*this, out};
  if (wire::read_root(in, [&](const wire::struct_view& v) { reads.structure(in, 0, v, 0); })) {
    return true;
  }
  problem = in.problem();
  out.resize(before);
  return false;
}

}  // namespace

std::shared_ptr<const dynamic_struct> dynamic_struct::make(std::string description) {
  auto made = std::make_shared<made_struct>(std::move(description));
  if (!made->build()) return nullptr;
  return made;
}

}  // namespace kappa::detail
