#include "reading.hpp"

#include <algorithm>
#include <functional>
#include <set>

#include <fmt/format.h>

#include "annotations.hpp"
#include "names.hpp"

namespace kappa::plugin {

namespace schema = capnp::schema;

schema_reader::schema_reader(schema::CodeGeneratorRequest::Reader request,
                             const source_lines& lines)
    : lines_{lines} {
  for (const auto n : request.getNodes()) {
    nodes_.emplace(n.getId(), n);
    loader_.load(n);
    if (n.isFile()) files_[n.getId()] = n.getDisplayName().cStr();
  }
  for (const auto info : request.getSourceInfo()) docs_.emplace(info.getId(), info);

  std::set<std::uint64_t> wanted;
  for (const auto file : request.getRequestedFiles()) wanted.insert(file.getId());
  // Imported files first: only their names are needed, their code is another run's.
  for (const auto& [id, n] : nodes_) {
    if (n.isFile() && !wanted.contains(id)) declare_file(n, false);
  }
  for (const auto file : request.getRequestedFiles()) {
    files_[file.getId()] = file.getFilename().cStr();
    declare_file(nodes_.at(file.getId()), true);
    for (const auto import : file.getImports()) {
      const auto imported = nodes_.find(import.getId());
      if (imported == nodes_.end()) continue;  // nothing of it is used
      bool has_types = false;
      for (const auto nested : imported->second.getNestedNodes()) {
        has_types =
            has_types || structs_.contains(nested.getId()) || enums_.contains(nested.getId());
      }
      if (has_types)
        requested_.back().includes.push_back(stem_of(import.getName().cStr()) + ".kappa.hpp");
    }
  }

  const auto each_struct = [&](auto&& f) {
    for (auto& [id, decl] : structs_) {
      const auto& where = places_.at(id);
      if (wanted.contains(where.file)) {
        f(*decl, where);
        continue;
      }
      // What an imported file cannot give is refused there, when it is generated.
      try {
        f(*decl, where);
      } catch (const refusal&) {
      }
    }
  };
  each_struct([&](struct_decl& decl, const place& where) {
    fill_record(decl.record, nodes_.at(decl.id), where);
    for (const auto& m : decl.record.members) check_annotations(*m, where, true);
    const auto count = [&](auto flag) {
      return std::count_if(decl.record.members.begin(), decl.record.members.end(),
                           [&](const auto& m) { return (*m).*flag; });
    };
    if (count(&member::is_event_time) > 1)
      refuse(where, "", "only one field may be $Kappa.eventTime");
    if (count(&member::is_subject) > 1) {
      refuse(where, "",
             "only one field may be $Kappa.subject; put the others into a struct of their own, "
             "with its subject");
    }
    if (count(&member::is_key) > 1) {
      refuse(where, "",
             "only one field may be $Kappa.key; put the parts into a struct and make that the key");
    }
  });
  each_struct([&](struct_decl& decl, const place& where) {
    set_defaults(decl.record, nodes_.at(decl.id), where);
  });
  for (auto& model : requested_) {
    check_protocols(model);
    order_structs(model);
  }
}

void schema_reader::refuse(const place& where, const std::string& member,
                           const std::string& why) const {
  const auto& file = files_.at(where.file);
  std::string name = where.scope;
  if (!member.empty()) name += (name.empty() ? "" : ".") + member;
  throw refusal{fmt::format("{}: {}{}{}", lines_.locate(file, where.scope, member), name,
                            name.empty() ? "" : ": ", why)};
}

std::string schema_reader::doc_of(std::uint64_t id) const {
  const auto found = docs_.find(id);
  return found == docs_.end() ? "" : found->second.getDocComment().cStr();
}

std::string schema_reader::member_doc(std::uint64_t id, unsigned index) const {
  const auto found = docs_.find(id);
  if (found == docs_.end() || index >= found->second.getMembers().size()) return "";
  return found->second.getMembers()[index].getDocComment().cStr();
}

std::string schema_reader::qualify(const place& where, const std::string& cpp_name) const {
  const auto& ns = namespaces_.at(where.file);
  return ns.empty() ? "::" + cpp_name : "::" + ns + "::" + cpp_name;
}

void schema_reader::claim_name(const std::string& qualified, const std::string& what,
                               const place& where) {
  const auto [at, is_new] = taken_.emplace(qualified, what);
  if (!is_new) {
    refuse(where, "",
           fmt::format("its C++ name {} is that of {} too; rename one with $Kappa.name(\"…\")",
                       qualified, at->second));
  }
}

void schema_reader::declare_file(node file, bool requested) {
  file_model model;
  model.path = files_.at(file.getId());
  model.stem = stem_of(model.path);
  model.cpp_namespace = text_annotation(file.getAnnotations(), annotation::namespace_).value_or("");
  namespaces_[file.getId()] = model.cpp_namespace;
  const place where{file.getId(), ""};
  if (!model.cpp_namespace.empty() && !is_namespace(model.cpp_namespace)) {
    refuse(
        where, "",
        fmt::format("$Kappa.namespace(\"{}\") is no C++ namespace; write it like \"acme::billing\"",
                    model.cpp_namespace));
  }
  places_[file.getId()] = where;
  declare_nested(file, "", "", model, requested);
  if (requested) requested_.push_back(std::move(model));
}

void schema_reader::declare_nested(node parent, const std::string& schema_scope,
                                   const std::string& cpp_scope, file_model& model,
                                   bool requested) {
  const auto file = places_.at(parent.getId()).file;
  for (const auto nested : parent.getNestedNodes()) {
    const auto found = nodes_.find(nested.getId());
    if (found == nodes_.end()) continue;  // of an imported file, and not used
    const auto n = found->second;
    const std::string name = nested.getName().cStr();
    const place where{file, schema_scope.empty() ? name : schema_scope + "." + name};
    if (requested && n.isInterface()) {
      refuse(where, "", "interfaces are not supported: a record is data, Kappa makes no calls");
    }
    if (requested && n.getIsGeneric()) {
      refuse(where, "", "generic types are not supported; declare one type for each use");
    }
    if (requested && n.isConst()) add_constant(model, n, name, where);
    if ((!n.isStruct() && !n.isEnum()) || n.getIsGeneric()) continue;

    places_[n.getId()] = where;
    const auto renamed = text_annotation(n.getAnnotations(), annotation::name);
    if (renamed && !is_identifier(*renamed)) {
      refuse(where, "", fmt::format("$Kappa.name(\"{}\") is no C++ name", *renamed));
    }
    const auto cpp_name =
        renamed ? *renamed : (cpp_scope.empty() ? "" : cpp_scope + "_") + snake_case(name);
    const auto qualified = qualify(where, cpp_name);
    claim_name(qualified, where.scope, where);

    if (n.isEnum()) {
      auto decl = std::make_unique<enum_decl>();
      decl->id = n.getId();
      decl->file = model.path;
      decl->schema_name = model.stem + ".capnp:" + where.scope;
      decl->cpp_name = cpp_name;
      decl->qualified = qualified;
      decl->doc = doc_of(n.getId());
      std::set<std::string> names;
      unsigned i = 0;
      for (const auto e : n.getEnum().getEnumerants()) {
        const auto own = text_annotation(e.getAnnotations(), annotation::name);
        const auto e_name = own.value_or(snake_case(e.getName().cStr()));
        if (!is_identifier(e_name) && own) {
          refuse(where, e.getName().cStr(),
                 fmt::format("$Kappa.name(\"{}\") is no C++ name", *own));
        }
        if (!names.insert(e_name).second) {
          refuse(
              where, e.getName().cStr(),
              fmt::format("its C++ name {} is taken in the enum; rename it with $Kappa.name(\"…\")",
                          e_name));
        }
        decl->values.push_back({e.getName().cStr(), e_name, member_doc(n.getId(), i++)});
      }
      model.enums.push_back(decl.get());
      enums_[n.getId()] = std::move(decl);
      continue;
    }
    auto decl = std::make_unique<struct_decl>();
    decl->id = n.getId();
    decl->file = model.path;
    decl->schema_name = model.stem + ".capnp:" + where.scope;
    decl->data_words = n.getStruct().getDataWordCount();
    decl->pointers = n.getStruct().getPointerCount();
    decl->record.cpp_name = cpp_name;
    decl->record.qualified = qualified;
    decl->record.doc = doc_of(n.getId());
    decl->tombstone = has_annotation(n.getAnnotations(), annotation::tombstone);
    model.structs.push_back(decl.get());
    add_to_protocol(model, n, *decl, where);
    structs_[n.getId()] = std::move(decl);
    declare_nested(n, where.scope, cpp_name, model, requested);
  }
}

void schema_reader::add_to_protocol(file_model& model, node n, const struct_decl& decl,
                                    const place& where) {
  const auto command = text_annotation(n.getAnnotations(), annotation::command);
  const auto event = text_annotation(n.getAnnotations(), annotation::event);
  const auto former = text_annotation(n.getAnnotations(), annotation::former_event);
  if (decl.tombstone && !event && !former) {
    refuse(where, "",
           "only an event can be a $Kappa.tombstone: mark it with $Kappa.event(\"…\") too");
  }
  if (!command && !event && !former) return;
  if (command.has_value() + event.has_value() + former.has_value() > 1)
    refuse(where, "", "it is a command, an event or a former event: one of them");
  const auto& name = command ? *command : event ? *event : *former;
  if (!is_identifier(name)) {
    refuse(where, "",
           fmt::format("$Kappa.{}(\"{}\") is no name of a protocol; write it like \"account\"",
                       command ? "command"
                       : event ? "event"
                               : "formerEvent",
                       name));
  }
  auto at = std::find_if(model.protocols.begin(), model.protocols.end(),
                         [&](const auto& p) { return p.name == name; });
  if (at == model.protocols.end()) {
    const auto cpp_name = name + "_protocol";
    claim_name(qualify(where, cpp_name), "the protocol \"" + name + "\"", where);
    at = model.protocols.insert(at, {name, cpp_name, {}, {}, {}});
  }
  (command ? at->commands : event ? at->events : at->former_events).push_back(&decl);
}

void schema_reader::check_protocols(const file_model& model) const {
  for (const auto& p : model.protocols) {
    if (!p.events.empty() && !p.commands.empty()) continue;
    const auto* one = !p.events.empty()     ? p.events.front()
                      : !p.commands.empty() ? p.commands.front()
                                            : p.former_events.front();
    refuse(places_.at(one->id), "",
           fmt::format("the protocol \"{}\" has no {}; mark a struct with $Kappa.{}(\"{}\")",
                       p.name, p.events.empty() ? "event" : "command",
                       p.events.empty() ? "event" : "command", p.name));
  }
}

void schema_reader::add_constant(file_model& model, node n, const std::string& name,
                                 const place& where) {
  const auto c = n.getConst();
  const auto renamed = text_annotation(n.getAnnotations(), annotation::name);
  // Constants of a struct would need a place in a struct that is declared already; none has asked.
  if (where.scope != name)
    refuse(where, "", "constants inside of a struct are not supported; move it to the file");
  const auto cpp_name = renamed.value_or(snake_case(name));
  const auto type = read_type(c.getType(), where, "");
  if (type.kind == type_kind::list || type.kind == type_kind::structure ||
      type.kind == type_kind::nothing || type.kind == type_kind::data ||
      type.kind == type_kind::enumeration) {
    refuse(where, "", "constants may be numbers, booleans and texts");
  }
  claim_name(qualify(where, cpp_name), where.scope, where);
  const auto value = loader_.get(n.getId()).asConst().as<capnp::DynamicValue>();
  const auto cpp_type = type.kind == type_kind::text ? "std::string_view" : cpp_type_of(type);
  auto text = literal(type, value);
  if (text.empty()) text = "{}";
  model.constants.push_back(
      {fmt::format("inline constexpr {} {} = {};", cpp_type, cpp_name, text), doc_of(n.getId())});
}

void schema_reader::order_structs(file_model& model) {
  // A value member needs its type complete, so those types come first.
  std::map<const struct_decl*, int> state;  // 1: being visited, 2: done
  std::vector<struct_decl*> ordered;
  std::vector<const struct_decl*> path;

  const std::function<void(const record_type&, std::set<const struct_decl*>&)> needs =
      [&](const record_type& r, std::set<const struct_decl*>& out) {
        const auto look = [&](const member& m) {
          if (m.group) return needs(*m.group, out);
          const auto* type = &m.type;
          if (m.pointer_default) {  // a list's default value is made of complete elements
            while (type->kind == type_kind::list) type = type->element.get();
          }
          if (type->kind == type_kind::structure) out.insert(type->structure);
        };
        for (const auto& m : r.members) look(*m);
        for (const auto& m : r.alternatives) look(*m);
      };
  const std::function<void(struct_decl*)> visit = [&](struct_decl* s) {
    if (state[s] == 2) return;
    if (state[s] == 1) {
      const auto start = std::find(path.begin(), path.end(), s);
      std::string names;
      for (auto at = start; at != path.end(); ++at) names += places_.at((*at)->id).scope + " → ";
      const auto& where = places_.at(s->id);
      refuse(
          where, "",
          fmt::format("it holds itself ({}{}), which no C++ value can; use a List, as in List({})",
                      names, where.scope, where.scope));
    }
    state[s] = 1;
    path.push_back(s);
    std::set<const struct_decl*> wanted;
    needs(s->record, wanted);
    for (const auto* w : wanted) {
      const auto here = std::find(model.structs.begin(), model.structs.end(), w);
      if (here != model.structs.end()) visit(*here);
    }
    path.pop_back();
    state[s] = 2;
    ordered.push_back(s);
  };
  // By value only from file to file: imports cannot go round in C++ headers.
  for (auto* s : model.structs) visit(s);

  // Elements of lists come first too, as far as they can: clang wants them complete where a list
  // has an initializer. Of structs that hold lists of each other one has to be first.
  std::map<const struct_decl*, std::set<const struct_decl*>> held;
  for (const auto* s : ordered) {
    for_each_type(s->record, [&](const type_ref& t) {
      if (t.structure != nullptr && t.structure != s) held[s].insert(t.structure);
    });
  }
  model.structs.clear();
  while (!ordered.empty()) {
    const auto is_left = [&](const struct_decl* s) {
      return std::find(ordered.begin(), ordered.end(), s) != ordered.end();
    };
    auto next = std::find_if(ordered.begin(), ordered.end(), [&](const struct_decl* s) {
      return std::none_of(held[s].begin(), held[s].end(), is_left);
    });
    if (next == ordered.end()) {
      next = std::find_if(ordered.begin(), ordered.end(), [&](const struct_decl* s) {
        std::set<const struct_decl*> values;
        needs(s->record, values);
        return std::none_of(values.begin(), values.end(), is_left);
      });
    }
    model.structs.push_back(*next);
    ordered.erase(next);
  }
}

}  // namespace kappa::plugin
