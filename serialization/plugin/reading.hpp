// From a CodeGeneratorRequest to the model, refusing what Kappa has no C++ for.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <capnp/dynamic.h>
#include <capnp/schema-loader.h>
#include <capnp/schema.capnp.h>

#include "model.hpp"
#include "source_lines.hpp"

namespace kappa::plugin {

class schema_reader {
 public:
  /// Reads every node. Throws refusal.
  schema_reader(capnp::schema::CodeGeneratorRequest::Reader request, const source_lines& lines);

  [[nodiscard]] const std::vector<file_model>& requested() const { return requested_; }

 private:
  using node = capnp::schema::Node::Reader;

  struct place {  // of a declaration that is being read, for messages
    std::uint64_t file = 0;
    std::string scope;  // "Flight"
  };

  void declare_file(node file, bool requested);
  void declare_nested(node parent, const std::string& schema_scope, const std::string& cpp_scope,
                      file_model& model, bool requested);
  void add_constant(file_model& model, node n, const std::string& name, const place& where);
  void add_to_protocol(file_model& model, node n, const struct_decl& decl, const place& where);
  void check_protocols(const file_model& model) const;

  void fill_record(record_type& record, node n, const place& where);
  void fill_member(member& m, capnp::schema::Field::Reader field, const record_type& record,
                   const place& where);
  void check_annotations(const member& m, const place& where, bool top_level) const;
  void name_alternatives(record_type& record, const place& where);
  void add_aliases(record_type& record, node n, const place& where);
  void set_defaults(record_type& record, node n, const place& where);

  void order_structs(file_model& model);
  void claim_name(const std::string& qualified, const std::string& what, const place& where);

  // defaults.cpp
  [[nodiscard]] std::string literal(const type_ref& type, capnp::DynamicValue::Reader v) const;
  [[nodiscard]] std::string struct_literal(const record_type& record,
                                           capnp::DynamicStruct::Reader v) const;

  [[nodiscard]] type_ref read_type(capnp::schema::Type::Reader type, const place& where,
                                   const std::string& member) const;
  [[noreturn]] void refuse(const place& where, const std::string& member,
                           const std::string& why) const;
  [[nodiscard]] std::string doc_of(std::uint64_t id) const;
  [[nodiscard]] std::string member_doc(std::uint64_t id, unsigned index) const;
  [[nodiscard]] std::string qualify(const place& where, const std::string& cpp_name) const;

  const source_lines& lines_;
  capnp::SchemaLoader loader_;
  std::map<std::uint64_t, node> nodes_;
  std::map<std::uint64_t, capnp::schema::Node::SourceInfo::Reader> docs_;
  std::map<std::uint64_t, std::string> files_;       // id → path
  std::map<std::uint64_t, std::string> namespaces_;  // file id → C++ namespace
  std::map<std::uint64_t, place> places_;            // struct and enum id → where
  std::map<std::uint64_t, std::unique_ptr<struct_decl>> structs_;
  std::map<std::uint64_t, std::unique_ptr<enum_decl>> enums_;
  std::map<std::string, std::string> taken_;  // qualified C++ name → schema name
  std::vector<file_model> requested_;
};

}  // namespace kappa::plugin
