#include <map>
#include <vector>

#include <fmt/format.h>

#include "emit.hpp"

namespace kappa::plugin {
namespace {

class describer {
 public:
  std::string run(const struct_decl& root) {
    number_of(root);
    std::string out = "capnp 2\n";
    for (std::size_t i = 0; i < order_.size(); ++i) {  // grows on the way
      out += fmt::format("struct {} {}\n", i, order_[i]->schema_name);
      if (i == 0 && root.tombstone) out += "tombstone\n";
      record(out, order_[i]->record, "", "");
    }
    for (std::size_t i = 0; i < enums_.size(); ++i) {
      out += fmt::format("enum {} {}", i, enums_[i]->schema_name);
      for (const auto& v : enums_[i]->values) out += " " + v.schema_name;
      out += '\n';
    }
    return out;
  }

 private:
  std::size_t number_of(const struct_decl& s) {
    const auto [at, is_new] = numbers_.emplace(&s, order_.size());
    if (is_new) order_.push_back(&s);
    return at->second;
  }
  std::size_t number_of(const enum_decl& e) {
    const auto [at, is_new] = enum_numbers_.emplace(&e, enums_.size());
    if (is_new) enums_.push_back(&e);
    return at->second;
  }

  std::string type(const type_ref& t) {
    switch (t.kind) {
      case type_kind::nothing:
        return "Void";
      case type_kind::boolean:
        return "Bool";
      case type_kind::int8:
        return "Int8";
      case type_kind::int16:
        return "Int16";
      case type_kind::int32:
        return "Int32";
      case type_kind::int64:
        return t.time ? "Time" : "Int64";
      case type_kind::uint8:
        return "UInt8";
      case type_kind::uint16:
        return "UInt16";
      case type_kind::uint32:
        return "UInt32";
      case type_kind::uint64:
        return "UInt64";
      case type_kind::float32:
        return "Float32";
      case type_kind::float64:
        return "Float64";
      case type_kind::text:
        return t.personal ? "PersonalText" : "Text";
      case type_kind::data:
        return t.personal ? "PersonalData" : "Data";
      case type_kind::list:
        return "List(" + type(*t.element) + ")";
      case type_kind::enumeration:
        return fmt::format("Enum#{}", number_of(*t.enumeration));
      case type_kind::structure:
        return fmt::format("Struct#{}", number_of(*t.structure));
    }
    return {};
  }

  void record(std::string& out, const record_type& r, const std::string& scope,
              const std::string& when) {
    const auto one = [&](const member& m, const std::string& condition, const char* mark) {
      const auto name = scope + mark + m.schema_name;
      if (m.group) return record(out, *m.group, name + ".", condition);
      const auto where = m.type.kind == type_kind::nothing
                             ? std::string{"-"}
                             : fmt::format("{}{}", m.type.pointer() ? "p" : "d", m.offset);
      out += fmt::format("@{} {} {} {} {} {}\n", m.ordinal, type(m.type), where, m.default_text,
                         condition.empty() ? "-" : condition, name);
    };
    for (const auto& m : r.members) one(*m, when, "");
    for (std::size_t i = 0; i < r.alternatives.size(); ++i) {
      one(*r.alternatives[i],
          fmt::format("{}{}{}:{}", when, when.empty() ? "" : "/", r.discriminant_offset, i), "|");
    }
  }

  std::map<const struct_decl*, std::size_t> numbers_;
  std::vector<const struct_decl*> order_;
  std::map<const enum_decl*, std::size_t> enum_numbers_;
  std::vector<const enum_decl*> enums_;
};

}  // namespace

std::string describe(const struct_decl& decl) { return describer{}.run(decl); }

}  // namespace kappa::plugin
