#include "dynamic_struct.hpp"

#include <string_view>
#include <utility>

#include "kappa/core/parse_number.hpp"
#include "kappa/core/time.hpp"
#include "kappa/serialization/json.hpp"
#include "kappa/serialization/kinds.hpp"
#include "kappa/serialization/wire_reader.hpp"
#include "struct_shape.hpp"

namespace kappa::detail {
namespace {

constexpr std::size_t most_json_bytes = std::size_t{64} << 20;

class reading {
 public:
  reading(const struct_shape& s, std::string& out) : shape_{s}, text_{out}, out_{out} {}

  void structure(wire::source& in, std::size_t index, const wire::struct_view& view, int levels) {
    out_.begin_object();
    if (within(in, levels)) fields(in, shape_.structs()[index], view, levels);
    out_.end_object();
  }

 private:
  bool within(wire::source& in, int levels) {
    if (levels > most_shape_levels) in.fail("it is nested too deeply");
    if (text_.size() > most_json_bytes) in.fail("it is too large as JSON");
    return in.ok();
  }

  void fields(wire::source& in, const field_group& g, const wire::struct_view& view, int levels) {
    for (const auto& m : g.members) {
      if (!m.inside && m.of.what == field_kind::nothing) continue;
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

  void one(wire::source& in, const shaped_field& f, const wire::struct_view& view, int levels) {
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
  void fallback(wire::source& in, const shaped_field& f, int levels) {
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

  void behind(wire::source& in, const field_type& t, const wire::pointer_view& pointer,
              int levels) {
    bytes_view found;
    switch (t.what) {
      case field_kind::text:
        if (!pointer.bytes_of(found, true)) found = {};
        return out_.text(found);
      case field_kind::data:
        if (!pointer.bytes_of(found, false)) found = {};
        return out_.base64(found);
      case field_kind::personal_text:
      case field_kind::personal_data: {
        const bool is_text = t.what == field_kind::personal_text;
        if (!pointer.bytes_of(found, is_text)) found = {};
        if (!personal::is_stored_form(found)) {
          in.fail("it is personal, and what is here is not sealed");
          return out_.null();
        }
        return wire::personal_to_json(out_, personal::from_stored(found), is_text);
      }
      case field_kind::structure: {
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

  void elements(wire::source& in, const field_type& t, const wire::list_view& list, int levels) {
    const auto each = [&](bool good, auto&& f) {
      for (std::size_t i = 0; good && i < list.size() && within(in, levels); ++i) f(i);
    };
    switch (t.what) {
      case field_kind::nothing:
        return;
      case field_kind::boolean:
        return each(list.of_bits(), [&](std::size_t i) { out_.boolean(list.bit(i)); });
      case field_kind::int8:
        return numbers<std::int8_t>(each, list);
      case field_kind::int16:
        return numbers<std::int16_t>(each, list);
      case field_kind::int32:
        return numbers<std::int32_t>(each, list);
      case field_kind::int64:
      case field_kind::time:  // annotations are of fields: a list's elements are integers
        return numbers<std::int64_t>(each, list);
      case field_kind::uint8:
        return numbers<std::uint8_t>(each, list);
      case field_kind::uint16:
        return numbers<std::uint16_t>(each, list);
      case field_kind::uint32:
        return numbers<std::uint32_t>(each, list);
      case field_kind::uint64:
        return numbers<std::uint64_t>(each, list);
      case field_kind::float32:
        return numbers<float>(each, list);
      case field_kind::float64:
        return numbers<double>(each, list);
      case field_kind::enumeration:
        return each(list.of_numbers(2),
                    [&](std::size_t i) { enumeration(t.index, list.number<std::uint16_t>(i)); });
      case field_kind::structure:
        return each(list.of_structs(), [&](std::size_t i) {
          wire::struct_view view;
          if (list.element(i, view)) structure(in, t.index, view, levels + 1);
        });
      case field_kind::text:
      case field_kind::data:
      case field_kind::personal_text:
      case field_kind::personal_data:
      case field_kind::list:
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
  T stored(const shaped_field& f, const wire::struct_view& view) {
    T v{};
    // What cannot be read is what a newer Kappa might write: the description tells its version.
    if (!f.fallback.empty() && !parse_number(f.fallback, v)) view.fail(f.name.c_str(), bad_default);
    return view.get<T>(f.place, v);
  }

  void in_place(const shaped_field& f, const wire::struct_view& view) {
    switch (f.of.what) {
      case field_kind::boolean:
        return out_.boolean(view.bit(f.place, f.fallback == "true"));
      case field_kind::int8:
        return number(stored<std::int8_t>(f, view));
      case field_kind::int16:
        return number(stored<std::int16_t>(f, view));
      case field_kind::int32:
        return number(stored<std::int32_t>(f, view));
      case field_kind::int64:
        return number(stored<std::int64_t>(f, view));
      case field_kind::uint8:
        return number(stored<std::uint8_t>(f, view));
      case field_kind::uint16:
        return number(stored<std::uint16_t>(f, view));
      case field_kind::uint32:
        return number(stored<std::uint32_t>(f, view));
      case field_kind::uint64:
        return number(stored<std::uint64_t>(f, view));
      case field_kind::float32:
        return number(stored<float>(f, view));
      case field_kind::float64:
        return number(stored<double>(f, view));
      case field_kind::time:
        return out_.time(timestamp{milliseconds{stored<std::int64_t>(f, view)}});
      case field_kind::enumeration:
        return enumeration(f.of.index, stored<std::uint16_t>(f, view));
      default:
        return out_.null();
    }
  }

  void enumeration(std::size_t index, std::uint16_t v) {
    const auto& names = shape_.enumeration(index).values;
    v < names.size() ? out_.text(names[v]) : out_.integer(std::uint64_t{v});
  }

  static constexpr const char* bad_default = "the schema's default cannot be read";

  const struct_shape& shape_;
  std::string& text_;
  json_writer out_;
};

class made_struct final : public dynamic_struct {
 public:
  explicit made_struct(std::shared_ptr<const struct_shape> shape) : shape_{std::move(shape)} {}

  bool to_json(bytes_view message, std::string& out, std::string& problem) const override {
    const auto before = out.size();
    wire::source in{message};
    reading reads{*shape_, out};
    if (wire::read_root(in, [&](const wire::struct_view& v) { reads.structure(in, 0, v, 0); }))
      return true;
    problem = in.problem();
    out.resize(before);
    return false;
  }

 private:
  const std::shared_ptr<const struct_shape> shape_;
};

}  // namespace

std::shared_ptr<const dynamic_struct> dynamic_struct::make(std::string description) {
  auto shape = struct_shape::make(std::move(description));
  if (!shape) return nullptr;
  return std::make_shared<made_struct>(std::move(shape));
}

}  // namespace kappa::detail
