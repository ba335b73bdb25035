#include "kappa/serialization/json_schema.hpp"

#include <cstdint>
#include <limits>
#include <string_view>

#include <fmt/format.h>

#include "kappa/core/codec.hpp"
#include "kappa/core/parse_number.hpp"
#include "kappa/core/time.hpp"
#include "kappa/serialization/json.hpp"
#include "struct_shape.hpp"

namespace kappa {
namespace {

using detail::field_group;
using detail::field_kind;
using detail::field_type;
using detail::shaped_field;
using detail::struct_shape;

std::string safe_name(std::string_view name) {
  std::string out{name};
  for (auto& c : out) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-';
    if (!good) c = '.';
  }
  return out;
}

void member(json_writer& out, std::string_view name, std::string_view value) {
  out.member(name);
  out.text(value);
}

template <class T>
void bounds(json_writer& out) {
  member(out, "type", "integer");
  out.member("minimum");
  out.integer(std::int64_t{std::numeric_limits<T>::min()});
  out.member("maximum");
  out.integer(std::int64_t{std::numeric_limits<T>::max()});
}

class describing {
 public:
  describing(const struct_shape& shape, const std::string& prefix)
      : shape_{shape}, prefix_{prefix} {}

  [[nodiscard]] std::string reference(std::size_t index) const {
    return prefix_ + safe_name(shape_.name_of_struct(index));
  }

  void group(json_writer& out, const field_group& g) const {
    out.begin_object();
    member(out, "type", "object");
    out.member("properties");
    out.begin_object();
    for (const auto& m : g.members) {
      if (m.inside || m.of.what != field_kind::nothing) field(out, m);
    }
    for (const auto& [discriminant, alternative] : g.alternatives) field(out, alternative);
    out.end_object();
    if (!g.alternatives.empty()) {
      out.member("oneOf");
      out.begin_array();
      for (const auto& [discriminant, alternative] : g.alternatives)
        out.raw(fmt::format(R"({{"required":["{}"]}})", alternative.name));
      out.end_array();
    }
    out.end_object();
  }

 private:
  void field(json_writer& out, const shaped_field& f) const {
    out.member(f.name);
    if (f.inside) return group(out, *f.inside);
    out.begin_object();
    type(out, f.of);
    fallback(out, f);
    out.end_object();
  }

  void type(json_writer& out, const field_type& t) const {
    switch (t.what) {
      case field_kind::nothing:
        return member(out, "type", "null");
      case field_kind::boolean:
        return member(out, "type", "boolean");
      case field_kind::int8:
        return bounds<std::int8_t>(out);
      case field_kind::int16:
        return bounds<std::int16_t>(out);
      case field_kind::int32:
        return bounds<std::int32_t>(out);
      case field_kind::uint8:
        return bounds<std::uint8_t>(out);
      case field_kind::uint16:
        return bounds<std::uint16_t>(out);
      case field_kind::uint32:
        return bounds<std::uint32_t>(out);
      case field_kind::int64:
        member(out, "type", "integer");
        return member(out, "format", "int64");
      case field_kind::uint64:
        member(out, "type", "integer");
        out.member("minimum");
        return out.integer(std::uint64_t{0});
      case field_kind::float32:
      case field_kind::float64:
        member(out, "type", "number");
        return member(out, "format", t.what == field_kind::float32 ? "float" : "double");
      case field_kind::time:
        member(out, "type", "string");
        return member(out, "format", "date-time");
      case field_kind::text:
        return member(out, "type", "string");
      case field_kind::data:
        member(out, "type", "string");
        return member(out, "contentEncoding", "base64");
      case field_kind::personal_text:
      case field_kind::personal_data:
        out.member("type");
        out.begin_array();
        out.text("string");
        out.text("null");
        out.end_array();
        return member(out, "description", "Personal: stored encrypted; null once it is erased.");
      case field_kind::list:
        member(out, "type", "array");
        out.member("items");
        out.begin_object();
        type(out, *t.element);
        return out.end_object();
      case field_kind::enumeration:
        member(out, "type", "string");
        out.member("enum");
        out.begin_array();
        for (const auto name : shape_.enumeration(t.index).values) out.text(name);
        return out.end_array();
      case field_kind::structure:
        return member(out, "$ref", reference(t.index));
    }
  }

  // Numbers, flags and names; what is behind a pointer is a message of its own.
  void fallback(json_writer& out, const shaped_field& f) const {
    if (f.fallback.empty() || is_pointer(f.of)) return;
    if (f.of.what == field_kind::boolean) {
      out.member("default");
      return out.raw(f.fallback == "true" ? "true" : "false");
    }
    std::int64_t number = 0;
    if (!parse_number(f.fallback, number)) return;
    if (f.of.what == field_kind::enumeration) {
      const auto& names = shape_.enumeration(f.of.index).values;
      if (static_cast<std::size_t>(number) < names.size())
        member(out, "default", names[static_cast<std::size_t>(number)]);
      return;
    }
    out.member("default");
    f.of.what == field_kind::time ? out.time(timestamp{milliseconds{number}}) : out.integer(number);
  }

  const struct_shape& shape_;
  const std::string& prefix_;
};

}  // namespace

std::string json_schemas::of(const schema_info& type) {
  if (type.description == codec<std::string>::schema().description) return R"({"type":"string"})";
  if (type.description == codec<std::int64_t>::schema().description)
    return R"({"type":"integer","format":"int64"})";
  if (type.description == codec<timestamp>::schema().description)
    return R"({"type":"string","format":"date-time"})";
  const auto shape = struct_shape::make(type.description);
  if (!shape) return "true";
  const describing d{*shape, prefix_};
  for (std::size_t i = 0; i < shape->structs().size(); ++i) {
    const auto [at, is_new] = named_.try_emplace(safe_name(shape->name_of_struct(i)));
    if (!is_new) continue;
    json_writer out{at->second};
    d.group(out, shape->structs()[i]);
  }
  return fmt::format(R"({{"$ref":"{}"}})", d.reference(0));
}

}  // namespace kappa
