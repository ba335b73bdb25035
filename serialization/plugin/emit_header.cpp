#include <set>

#include <fmt/format.h>

#include "annotations.hpp"
#include "emit.hpp"
#include "names.hpp"

namespace kappa::plugin {
namespace {

class header_emitter {
 public:
  explicit header_emitter(const file_model& model) : model_{model} {}

  std::string run() {
    line("// Made by capnpc-kappa from {}.capnp. Do not edit: change the schema.", model_.stem);
    line("#pragma once");
    line("");
    for (const auto* h :
         {"cstdint", "iosfwd", "limits", "string", "string_view", "variant", "vector"}) {
      line("#include <{}>", h);
    }
    line("");
    if (!model_.protocols.empty()) {
      line("#include <kappa/aggregate/tombstone.hpp>");
      line("#include <kappa/core/type_list.hpp>");
    }
    line("#include <kappa/serialization/generated.hpp>");
    for (const auto& include : model_.includes) line("#include \"{}\"", include);
    line("");

    open_namespace();
    for (const auto& c : model_.constants) {
      doc(c.doc, "");
      line("{}", c.declaration);
    }
    for (const auto* s : model_.structs) line("struct {};", s->record.cpp_name);
    for (const auto* e : model_.enums) enumeration(*e);
    open_.insert(model_.structs.begin(), model_.structs.end());
    for (const auto* s : model_.structs) records_of(s->record, s);
    for (const auto& p : model_.protocols) protocol(p);
    close_namespace();

    for (const auto* e : model_.enums) enum_traits(*e);
    for (const auto* s : model_.structs) traits(*s);
    return std::move(out_);
  }

 private:
  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
    out_ += '\n';
  }

  void open_namespace() {
    if (!model_.cpp_namespace.empty()) line("namespace {} {{\n", model_.cpp_namespace);
  }
  void close_namespace() {
    if (!model_.cpp_namespace.empty()) line("}}  // namespace {}\n", model_.cpp_namespace);
  }

  void doc(std::string_view text, std::string_view indent) {
    while (!text.empty()) {
      const auto end = text.find('\n');
      const auto one = text.substr(0, end);
      // A backslash at the end would continue the comment on the next line of code.
      line("{}///{}{}{}", indent, one.empty() ? "" : " ", one, one.ends_with('\\') ? " ." : "");
      if (end == std::string_view::npos) break;
      text.remove_prefix(end + 1);
    }
  }

  void enumeration(const enum_decl& e) {
    line("");
    doc(e.doc, "");
    line("enum class {} : std::uint16_t {{", e.cpp_name);
    for (std::size_t i = 0; i < e.values.size(); ++i) {
      doc(e.values[i].doc, "  ");
      line("  {} = {},", e.values[i].cpp_name, i);
    }
    line("}};");
    line("std::ostream& operator<<(std::ostream& out, {} v);", e.cpp_name);
  }

  void protocol(const protocol_decl& p) {
    const auto list = [&](const char* name, const std::vector<const struct_decl*>& all) {
      std::string types;
      for (const auto* s : all) types += (types.empty() ? "" : ", ") + s->record.qualified;
      line("  using {} = kappa::type_list<{}>;", name, types);
    };
    line("");
    line("/// Commands and events of the aggregate \"{}\".", p.name);
    line("struct {} {{", p.cpp_name);
    line("  static constexpr std::string_view name = {};", string_literal(p.name));
    list("commands", p.commands);
    list("events", p.events);
    list("former_events", p.former_events);
    line("}};");
  }

  /// Groups and alternatives before what holds them: their types must be complete.
  void records_of(const record_type& r, const struct_decl* decl) {
    for (const auto& m : r.members) {
      if (m->group) records_of(*m->group, nullptr);
    }
    for (const auto& m : r.alternatives) {
      if (m->group) {
        records_of(*m->group, nullptr);
      } else if (m->wrapped || m->type.kind == type_kind::nothing) {
        wrapper(*m);
      }
    }
    if (decl != nullptr) open_.erase(decl);  // complete for the initializers of its own members
    record(r, decl != nullptr);
  }

  void wrapper(const member& m) {
    const auto name = m.alternative.substr(m.alternative.rfind(':') + 1);
    line("");
    doc(m.doc, "");
    if (!m.wrapped) {
      line("struct {0} {{\n  friend bool operator==(const {0}&, const {0}&) = default;\n}};", name);
      return;
    }
    line("struct {} {{", name);
    data_member(m, "value");
    line("\n  friend bool operator==(const {0}&, const {0}&) = default;\n}};", name);
  }

  void record(const record_type& r, bool whole) {
    line("");
    doc(r.doc, "");
    line("struct {} {{", r.cpp_name);
    if (whole) line("  using schema_type = {};", r.qualified);
    for (const auto& a : r.aliases) line("  using {} = {};", a.name, a.target);
    if (whole || !r.aliases.empty()) line("");
    bool any = false;
    for (const auto& m : r.members) {
      if (m->type.kind == type_kind::nothing && !m->group) continue;
      any = true;
      doc(m->doc, "  ");
      if (m->group) {
        line("  {} {}{{}};", m->group->qualified, m->cpp_name);
      } else {
        data_member(*m, m->cpp_name);
      }
    }
    if (!r.alternatives.empty()) {
      std::string types;
      for (const auto& m : r.alternatives) types += (types.empty() ? "" : ", ") + m->alternative;
      line("  std::variant<{}> which{{}};", types);
      any = true;
    }
    if (any) line("");
    line("  friend bool operator==(const {0}&, const {0}&) = default;", r.qualified);
    if (whole)
      line("  friend std::ostream& operator<<(std::ostream& out, const {}& v);", r.qualified);
    line("}};");
  }

  void data_member(const member& m, const std::string& name) {
    const auto type = cpp_type_of(m.type);
    const auto* element = &m.type;
    while (element->element) element = element->element.get();
    if (open_.contains(element->structure)) {
      line("  {} {};", type, name);  // clang would make the empty list here and now
    } else if (m.initializer.empty()) {
      line("  {} {}{{}};", type, name);
    } else {
      line("  {} {} = {};", type, name, m.initializer);
    }
  }

  void enum_traits(const enum_decl& e) {
    line("template <>\nstruct kappa::generated_enum<{}> {{", e.qualified);
    line("  static constexpr std::uint16_t count = {};", e.values.size());
    std::string names;
    for (const auto& v : e.values)
      names += (names.empty() ? "" : ", ") + string_literal(v.schema_name);
    line("  static constexpr std::string_view names[] = {{{}}};", names);
    line("}};\n");
  }

  void traits(const struct_decl& s) {
    const auto& type = s.record.qualified;
    line("template <>\nstruct kappa::generated<{}> {{", type);
    line("  static constexpr const char* schema_name = {};", string_literal(s.schema_name));
    line("  static constexpr std::uint64_t schema_id = {:#x};", s.id);
    line("  static const std::string_view description;");
    line("  using frame = wire::frame<{}, {}>;", s.data_words, s.pointers);
    line("  static void fill(const {}& v, frame& f);", type);
    line("  static void targets(wire::writer& w, std::size_t at, const {}& v);", type);
    line("  static void read(const wire::struct_view& in, {}& v);", type);
    line("  static void print(std::string& out, const {}& v);", type);
    line("  static void write_json(json_writer& out, const {}& v);", type);
    line("  static void read_json(const json_view& in, {}& v);", type);
    line("}};");
    if (s.tombstone)
      line("template <>\ninline constexpr bool kappa::is_tombstone<{}> = true;", type);
    if (const auto first = first_personal(s); !first.empty()) {
      line("template <>\nstruct kappa::personal_traits<{}> {{", type);
      line("  static constexpr const char* first_field = {};", string_literal(first));
      line("  static void visit({}& v, bytes_view subject, personal_visitor& f);", type);
      line("}};");
    }
    const member* time = nullptr;
    const member* key = nullptr;
    for (const auto& m : s.record.members) {
      if (m->is_event_time) time = m.get();
      if (m->is_key) key = m.get();
    }
    if (time || key) {
      line("template <>\nstruct kappa::event_traits<{}> {{", type);
      if (time)
        line("  static timestamp time(const {}& v) {{ return v.{}; }}", type, time->cpp_name);
      if (key) {
        line("  static void key(const {}& v, bytes& out) {{ codec<{}>::encode(v.{}, out); }}", type,
             cpp_type_of(key->type), key->cpp_name);
      }
      line("}};");
    }
    line("");
  }

  const file_model& model_;
  std::set<const struct_decl*> open_;  // not yet complete
  std::string out_;
};

}  // namespace

std::string emit_header(const file_model& model) { return header_emitter{model}.run(); }

}  // namespace kappa::plugin
