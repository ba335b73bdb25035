// Fields, groups and unions of a struct.

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "annotations.hpp"
#include "names.hpp"
#include "reading.hpp"

namespace kappa::plugin {

namespace schema = capnp::schema;

namespace {
constexpr const char* not_personal =
    "only Text and Data can be personal: write the value as text, or mark the fields of a group or "
    "struct one by one (of a list, make it a list of structs)";
}

std::string cpp_type_of(const type_ref& type) {
  if (type.time) return "kappa::timestamp";
  if (type.personal) return "kappa::personal";
  switch (type.kind) {
    case type_kind::nothing:
      return "void";
    case type_kind::boolean:
      return "bool";
    case type_kind::int8:
      return "std::int8_t";
    case type_kind::int16:
      return "std::int16_t";
    case type_kind::int32:
      return "std::int32_t";
    case type_kind::int64:
      return "std::int64_t";
    case type_kind::uint8:
      return "std::uint8_t";
    case type_kind::uint16:
      return "std::uint16_t";
    case type_kind::uint32:
      return "std::uint32_t";
    case type_kind::uint64:
      return "std::uint64_t";
    case type_kind::float32:
      return "float";
    case type_kind::float64:
      return "double";
    case type_kind::text:
      return "std::string";
    case type_kind::data:
      return "kappa::bytes";
    case type_kind::list:
      return "std::vector<" + cpp_type_of(*type.element) + ">";
    case type_kind::enumeration:
      return type.enumeration->qualified;
    case type_kind::structure:
      return type.structure->record.qualified;
  }
  return {};
}

type_ref schema_reader::read_type(schema::Type::Reader type, const place& where,
                                  const std::string& member) const {
  type_ref out;
  switch (type.which()) {
    case schema::Type::VOID:
      out.kind = type_kind::nothing;
      break;
    case schema::Type::BOOL:
      out.kind = type_kind::boolean;
      break;
    case schema::Type::INT8:
      out.kind = type_kind::int8;
      break;
    case schema::Type::INT16:
      out.kind = type_kind::int16;
      break;
    case schema::Type::INT32:
      out.kind = type_kind::int32;
      break;
    case schema::Type::INT64:
      out.kind = type_kind::int64;
      break;
    case schema::Type::UINT8:
      out.kind = type_kind::uint8;
      break;
    case schema::Type::UINT16:
      out.kind = type_kind::uint16;
      break;
    case schema::Type::UINT32:
      out.kind = type_kind::uint32;
      break;
    case schema::Type::UINT64:
      out.kind = type_kind::uint64;
      break;
    case schema::Type::FLOAT32:
      out.kind = type_kind::float32;
      break;
    case schema::Type::FLOAT64:
      out.kind = type_kind::float64;
      break;
    case schema::Type::TEXT:
      out.kind = type_kind::text;
      break;
    case schema::Type::DATA:
      out.kind = type_kind::data;
      break;
    case schema::Type::LIST: {
      out.kind = type_kind::list;
      auto element = read_type(type.getList().getElementType(), where, member);
      if (element.kind == type_kind::nothing)
        refuse(where, member, "List(Void) is not supported; use an integer");
      out.element = std::make_shared<type_ref>(std::move(element));
      break;
    }
    case schema::Type::ENUM: {
      out.kind = type_kind::enumeration;
      const auto found = enums_.find(type.getEnum().getTypeId());
      if (found == enums_.end()) refuse(where, member, "its enum is not known");
      out.enumeration = found->second.get();
      break;
    }
    case schema::Type::STRUCT: {
      out.kind = type_kind::structure;
      if (type.getStruct().getBrand().getScopes().size() > 0) {
        refuse(where, member, "generic types are not supported; declare one type for each use");
      }
      const auto found = structs_.find(type.getStruct().getTypeId());
      if (found == structs_.end()) refuse(where, member, "its struct is generic or not known");
      out.structure = found->second.get();
      break;
    }
    case schema::Type::INTERFACE:
      refuse(where, member, "interfaces are not supported: a record is data, Kappa makes no calls");
    case schema::Type::ANY_POINTER:
      refuse(where, member,
             "AnyPointer (and type parameters) are not supported: name the type, or use Data for "
             "foreign bytes");
  }
  return out;
}

void schema_reader::fill_record(record_type& record, node n, const place& where) {
  const auto s = n.getStruct();
  std::vector<std::unique_ptr<member>> fields;
  std::map<const member*, std::pair<std::uint16_t, std::uint16_t>>
      order;  // discriminant, place in the text
  unsigned index = 0;
  for (const auto field : s.getFields()) {
    auto m = std::make_unique<member>();
    m->index = index;
    m->doc = member_doc(n.getId(), index++);
    fill_member(*m, field, record, where);
    order[m.get()] = {field.getDiscriminantValue(), field.getCodeOrder()};
    const bool in_union = field.getDiscriminantValue() != schema::Field::NO_DISCRIMINANT;
    if (in_union) check_annotations(*m, where, false);
    (in_union ? record.alternatives : record.members).push_back(std::move(m));
  }
  std::sort(record.members.begin(), record.members.end(), [&](const auto& a, const auto& b) {
    return order[a.get()].second < order[b.get()].second;
  });
  std::sort(
      record.alternatives.begin(), record.alternatives.end(),
      [&](const auto& a, const auto& b) { return order[a.get()].first < order[b.get()].first; });
  record.discriminant_offset = s.getDiscriminantOffset();

  std::set<std::string> names;
  if (!record.alternatives.empty()) names.insert("which");
  for (const auto& m : record.members) {
    if (m->type.kind == type_kind::nothing && !m->group) continue;
    if (!names.insert(m->cpp_name).second) {
      refuse(
          where, m->schema_name,
          fmt::format("its C++ name {} is taken in the struct{}; rename it with $Kappa.name(\"…\")",
                      m->cpp_name, m->cpp_name == "which" ? " (by the union)" : ""));
    }
  }
  name_alternatives(record, where);
  add_aliases(record, n, where);
}

void schema_reader::fill_member(member& m, schema::Field::Reader field, const record_type& record,
                                const place& where) {
  m.schema_name = field.getName().cStr();
  const auto renamed = text_annotation(field.getAnnotations(), annotation::name);
  if (renamed && !is_identifier(*renamed)) {
    refuse(where, m.schema_name, fmt::format("$Kappa.name(\"{}\") is no C++ name", *renamed));
  }
  m.cpp_name = renamed.value_or(snake_case(m.schema_name));
  m.is_event_time = has_annotation(field.getAnnotations(), annotation::event_time);
  m.is_key = has_annotation(field.getAnnotations(), annotation::key);
  m.is_subject = has_annotation(field.getAnnotations(), annotation::subject);
  const bool is_personal = has_annotation(field.getAnnotations(), annotation::personal);
  const bool is_time = m.is_event_time || has_annotation(field.getAnnotations(), annotation::time);
  if (field.getOrdinal().isExplicit()) m.ordinal = field.getOrdinal().getExplicit();

  if (field.isGroup()) {
    if (is_time) refuse(where, m.schema_name, "only an Int64 can be a time");
    if (is_personal) refuse(where, m.schema_name, not_personal);
    m.group = std::make_unique<record_type>();
    m.group->cpp_name = record.cpp_name + "_" + m.cpp_name;
    m.group->qualified = qualify(where, m.group->cpp_name);
    m.group->doc = m.doc;
    claim_name(m.group->qualified, where.scope + "." + m.schema_name, where);
    const place inside{where.file, where.scope + "." + m.schema_name};
    fill_record(*m.group, nodes_.at(field.getGroup().getTypeId()), inside);
    for (const auto& inner : m.group->members) check_annotations(*inner, inside, false);
    return;
  }
  const auto slot = field.getSlot();
  m.type = read_type(slot.getType(), where, m.schema_name);
  m.offset = slot.getOffset();
  if (is_time) {
    if (m.type.kind != type_kind::int64)
      refuse(where, m.schema_name, "only an Int64 can be a time");
    m.type.time = true;
  }
  if (!is_personal) return;
  if (m.type.kind != type_kind::text && m.type.kind != type_kind::data)
    refuse(where, m.schema_name, not_personal);
  if (m.is_key || m.is_subject) {
    refuse(where, m.schema_name,
           "a key or a subject cannot be personal: it is stored as it is, and tells whose the "
           "personal fields are. Use an id that says nothing of the person");
  }
  if (slot.getHadExplicitDefault())
    refuse(where, m.schema_name, "a personal field has no default: leave it empty");
  m.type.personal = true;
}

void schema_reader::check_annotations(const member& m, const place& where, bool top_level) const {
  if (!top_level && (m.is_event_time || m.is_key)) {
    refuse(where, m.schema_name,
           fmt::format("{} must be a field of the struct itself, not of a group or union, where it "
                       "could be absent",
                       m.is_event_time ? "$Kappa.eventTime" : "$Kappa.key"));
  }
  if (m.is_subject && (!top_level || m.group || m.type.kind != type_kind::text)) {
    refuse(where, m.schema_name,
           "$Kappa.subject must be a Text of the struct itself, not of a group or union");
  }
  if (!m.is_key) return;
  switch (m.group ? type_kind::list : m.type.kind) {
    case type_kind::nothing:
    case type_kind::boolean:
    case type_kind::float32:
    case type_kind::float64:
    case type_kind::list:
      refuse(where, m.schema_name, "a key must be Text, Data, an integer, an enum or a struct");
    case type_kind::uint64:
      refuse(where, m.schema_name,
             "a key may not be a UInt64: keys are ordered as Int64; use that");
    default:
      break;
  }
}

void schema_reader::name_alternatives(record_type& record, const place& where) {
  std::map<const struct_decl*, int> uses;
  for (const auto& m : record.alternatives) {
    if (m->type.structure) ++uses[m->type.structure];
  }
  for (const auto& m : record.alternatives) {
    if (m->group) {
      m->alternative = m->group->qualified;
      continue;
    }
    // A struct that is there once is its own alternative; all others get a type to be told by.
    if (m->type.kind == type_kind::structure && uses[m->type.structure] == 1) {
      m->alternative = m->type.structure->record.qualified;
      continue;
    }
    m->wrapped = m->type.kind != type_kind::nothing;
    m->alternative = qualify(where, record.cpp_name + "_" + m->cpp_name);
    claim_name(m->alternative, where.scope + "." + m->schema_name, where);
  }
}

void schema_reader::add_aliases(record_type& record, node n, const place& where) {
  std::set<std::string> taken{record.cpp_name, "which", "schema_type"};
  for (const auto& m : record.members) taken.insert(m->cpp_name);
  const auto add = [&](std::string name, const std::string& target) {
    for (const auto& a : record.aliases) {
      if (a.target == target) return;
    }
    if (taken.contains(name)) name += "_type";
    if (taken.insert(name).second) record.aliases.push_back({name, target});
  };
  for (const auto& m : record.alternatives) add(m->cpp_name, m->alternative);
  for (const auto& m : record.members) {
    if (m->group) add(m->cpp_name + "_type", m->group->qualified);
  }
  for (const auto nested : n.getNestedNodes()) {
    const auto s = structs_.find(nested.getId());
    const auto e = enums_.find(nested.getId());
    const auto name = snake_case(nested.getName().cStr());
    if (s != structs_.end()) add(name, s->second->record.qualified);
    if (e != enums_.end()) add(name, e->second->qualified);
  }
  static_cast<void>(where);
}

}  // namespace kappa::plugin
