// What the generator knows of a schema after it has been read and checked: C++ names, wire places
// and nothing of Cap'n Proto's own classes. reading.cpp fills it, the emitters print it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace kappa::plugin {

/// A schema that cannot be turned into C++: "flights.capnp:12: Flight.owner: …".
struct refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class type_kind {
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
  text,
  data,
  list,
  enumeration,
  structure
};

struct struct_decl;
struct enum_decl;

struct type_ref {
  type_kind kind = type_kind::nothing;
  bool time = false;                        // an Int64 that is a kappa::timestamp in C++
  bool personal = false;                    // a Text or Data that is a kappa::personal in C++
  std::shared_ptr<const type_ref> element;  // of a list
  const struct_decl* structure = nullptr;
  const enum_decl* enumeration = nullptr;

  [[nodiscard]] bool pointer() const {
    return kind == type_kind::text || kind == type_kind::data || kind == type_kind::list ||
           kind == type_kind::structure;
  }
};

struct record_type;

/// A field of the schema: a value or a group.
struct member {
  std::string schema_name;
  std::string cpp_name;  // of the data member, or of the type of a union's alternative
  std::string doc;
  unsigned index = 0;  // among the fields of its schema node
  std::uint16_t ordinal = 0;
  bool is_event_time = false;
  bool is_key = false;
  bool is_subject = false;

  type_ref type;
  std::uint32_t offset = 0;        // in sizes of the type, or the pointer's index
  std::string initializer;         // C++ text of the default, empty: value-initialized
  std::string wire_default;        // data fields: C++ text for set/get; empty: zero
  std::string default_text = "-";  // for the description
  bool pointer_default = false;    // a pointer field with a default of its own

  std::unique_ptr<record_type> group;  // not null: a group

  // As a union's alternative:
  std::string alternative;  // C++ type
  bool wrapped = false;     // the value is in a struct's member `value`
};

/// A C++ struct to print: a struct, a group, or the wrapper of an alternative.
struct record_type {
  std::string cpp_name;   // "trip_from"
  std::string qualified;  // "::ns::trip_from"
  std::string doc;
  std::vector<std::unique_ptr<member>> members;       // in the order of the schema's text
  std::vector<std::unique_ptr<member>> alternatives;  // of the unnamed union, by discriminant
  std::uint32_t discriminant_offset = 0;              // in 16 bits
  struct alias {
    std::string name;
    std::string target;
  };
  std::vector<alias> aliases;  // nested types, by their short names
};

/// Calls f with the type of every field, groups' and lists' elements too.
template <class F>
void for_each_type(const record_type& r, F&& f) {
  const auto look = [&](const member& m) {
    if (m.group) return for_each_type(*m.group, f);
    for (const auto* t = &m.type; t != nullptr; t = t->element.get()) f(*t);
  };
  for (const auto& m : r.members) look(*m);
  for (const auto& m : r.alternatives) look(*m);
}

/// The first personal field in it, at whatever depth, as "Person.email"; empty: there is none.
[[nodiscard]] std::string first_personal(const struct_decl& s);

struct enum_decl {
  std::string schema_name;
  std::string cpp_name;
  std::string qualified;
  std::string doc;
  std::string file;
  std::uint64_t id = 0;
  struct value {
    std::string schema_name;
    std::string cpp_name;
    std::string doc;
  };
  std::vector<value> values;
};

struct struct_decl {
  std::string schema_name;  // "flights.capnp:Flight"
  std::string file;         // as imported or requested
  std::uint64_t id = 0;
  std::uint32_t data_words = 0;
  std::uint32_t pointers = 0;
  bool tombstone = false;
  record_type record;
};

/// The commands and events of an aggregate.
struct protocol_decl {
  std::string name;                          // "account"
  std::string cpp_name;                      // "account_protocol"
  std::vector<const struct_decl*> commands;  // in the order of the schema's text, as events
  std::vector<const struct_decl*> events;
  std::vector<const struct_decl*> former_events;
};

struct constant {
  std::string declaration;  // a whole line of C++
  std::string doc;
};

/// One file of a schema.
struct file_model {
  std::string path;  // as on the command line
  std::string stem;  // "flights" of "flights.capnp"
  std::string cpp_namespace;
  std::vector<std::string> includes;  // generated headers of the imported files
  std::vector<enum_decl*> enums;
  std::vector<struct_decl*> structs;
  std::vector<constant> constants;
  std::vector<protocol_decl> protocols;
};

}  // namespace kappa::plugin
