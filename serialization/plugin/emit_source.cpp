#include <algorithm>

#include <fmt/format.h>

#include "annotations.hpp"
#include "emit.hpp"
#include "names.hpp"

namespace kappa::plugin {

std::string kind_of(const type_ref& type) {
  if (type.time) return "kappa::wire::time_kind";
  if (type.personal) {
    return fmt::format("kappa::wire::personal_kind<{}>", type.kind == type_kind::text);
  }
  switch (type.kind) {
    case type_kind::boolean:
      return "kappa::wire::bool_kind";
    case type_kind::text:
      return "kappa::wire::text_kind";
    case type_kind::data:
      return "kappa::wire::data_kind";
    case type_kind::list:
      return "kappa::wire::list_kind<" + kind_of(*type.element) + ">";
    case type_kind::enumeration:
      return "kappa::wire::enum_kind<" + cpp_type_of(type) + ">";
    case type_kind::structure:
      return "kappa::wire::struct_kind<" + cpp_type_of(type) + ">";
    default:
      return "kappa::wire::number_kind<" + cpp_type_of(type) + ">";
  }
}

namespace {

class source_emitter {
 public:
  explicit source_emitter(const file_model& model) : model_{model} {}

  std::string run() {
    line("// Made by capnpc-kappa from {}.capnp. Do not edit: change the schema.", model_.stem);
    line("#include \"{}.kappa.hpp\"", model_.stem);
    line("");
    line("#include <ostream>");
    line("");
    line("#include <kappa/serialization/generated_impl.hpp>");
    line("");
    const auto& ns = model_.cpp_namespace;
    if (!ns.empty()) line("namespace {} {{\n", ns);
    for (const auto* e : model_.enums) {
      line(
          "std::ostream& operator<<(std::ostream& out, {} v) {{ return out << kappa::text_of(v); "
          "}}",
          e->cpp_name);
    }
    for (const auto* s : model_.structs) {
      line(
          "std::ostream& operator<<(std::ostream& out, const {0}& v) {{ return out << "
          "kappa::generated_calls<{0}>::text(v); }}",
          s->record.cpp_name);
    }
    if (!ns.empty()) line("\n}}  // namespace {}", ns);
    line("\nnamespace kappa {{\n");
    for (const auto* s : model_.structs) structure(*s);
    line("}}  // namespace kappa");
    return std::move(out_);
  }

 private:
  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    out_.append(static_cast<std::size_t>(depth_) * 2, ' ');
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
    out_ += '\n';
  }

  void structure(const struct_decl& s) {
    const auto& r = s.record;
    const auto g = "generated<" + r.qualified + ">";
    line("const std::string_view {}::description =\n    {};\n", g, string_literal(describe(s)));
    body(fmt::format("void {}::fill([[maybe_unused]] const {}& v, [[maybe_unused]] frame& f)", g,
                     r.qualified),
         [&] { fill(r, "v"); });
    body(fmt::format(
             "void {}::targets([[maybe_unused]] wire::writer& w, [[maybe_unused]] std::size_t at, "
             "[[maybe_unused]] const {}& v)",
             g, r.qualified),
         [&] {
           // Canonical form wants the targets in the order of their pointers.
           for (std::uint32_t i = 0; i < s.pointers; ++i) targets(r, "v", i);
         });
    body(fmt::format(
             "void {}::read([[maybe_unused]] const wire::struct_view& in, [[maybe_unused]] {}& v)",
             g, r.qualified),
         [&] { read(r, "v"); });
    body(fmt::format("void {}::print(std::string& out, [[maybe_unused]] const {}& v)", g,
                     r.qualified),
         [&] {
           line("out.append({});", string_literal(r.cpp_name + "{"));
           print(r, "v");
           line("out.push_back('}}');");
         });
    body(fmt::format("void {}::write_json(json_writer& out, [[maybe_unused]] const {}& v)", g,
                     r.qualified),
         [&] {
           line("out.begin_object();");
           write_json(r, "v");
           line("out.end_object();");
         });
    body(fmt::format("void {}::read_json(const json_view& in, [[maybe_unused]] {}& v)", g,
                     r.qualified),
         [&] {
           line("if (!in.is_object()) return;");
           read_json(r, "v", "in");
         });
    out_ += emit_personal(s);
    line("template struct generated_calls<{}>;\n", r.qualified);
  }

  template <class F>
  void body(const std::string& head, F&& f) {
    block(head, f);
    line("");
  }
  template <class F>
  void block(const std::string& head, F&& f) {
    line("{} {{", head);
    ++depth_;
    f();
    --depth_;
    line("}}");
  }

  [[nodiscard]] static bool is_void(const member& m) {
    return !m.group && m.type.kind == type_kind::nothing;
  }
  [[nodiscard]] static std::string value(const std::string& alternative, const member& m) {
    return m.wrapped ? alternative + ".value" : alternative;
  }

  /// Runs f(member, name of its reference) in a switch over the active alternative.
  template <class F>
  void switch_which(const record_type& r, const std::string& v, F&& f) {
    if (r.alternatives.empty()) return;
    block(fmt::format("switch ({}.which.index())", v), [&] {
      for (std::size_t i = 0; i < r.alternatives.size(); ++i) {
        const auto& m = *r.alternatives[i];
        block(fmt::format("case {}:", i), [&] {
          const auto name = fmt::format("a{}", ++variables_);
          if (!is_void(m)) line("const auto& {} = std::get<{}>({}.which);", name, i, v);
          f(m, name);
          line("break;");
        });
      }
      line("default: break;");
    });
  }

  void fill(const record_type& r, const std::string& v) {
    const auto one = [&](const member& m, const std::string& e, const std::string& owner) {
      if (m.group) return fill(*m.group, e);
      if (is_void(m)) return;
      const auto name = m.wrapped ? "value" : m.cpp_name;
      if (m.type.pointer()) {
        // The schema's own default is the null pointer, whatever it is.
        const auto present = m.pointer_default
                                 ? fmt::format("!({} == wire::defaults<{}>().{})", e, owner, name)
                                 : fmt::format("{}::present({})", kind_of(m.type), e);
        line("f.used[{}] = {};", m.offset, present);
      } else if (m.type.kind == type_kind::boolean) {
        line("f.set_bit({}, {}{});", m.offset, e, fallback(m));
      } else if (m.type.time) {
        line("f.set<std::int64_t>({}, {}.time_since_epoch().count(){});", m.offset, e, fallback(m));
      } else {
        line("f.set<{}>({}, {}{});", cpp_type_of(m.type), m.offset, e, fallback(m));
      }
    };
    for (const auto& m : r.members) one(*m, v + "." + m->cpp_name, r.qualified);
    if (!r.alternatives.empty()) {
      line("f.set<std::uint16_t>({}, static_cast<std::uint16_t>({}.which.index()));",
           r.discriminant_offset, v);
    }
    switch_which(
        r, v, [&](const member& m, const std::string& a) { one(m, value(a, m), m.alternative); });
  }

  [[nodiscard]] static std::string fallback(const member& m) {
    return m.wire_default.empty() ? "" : ", " + m.wire_default;
  }

  [[nodiscard]] static bool uses_pointer(const record_type& r, std::uint32_t index) {
    const auto uses = [&](const auto& m) {
      return m->group ? uses_pointer(*m->group, index) : m->type.pointer() && m->offset == index;
    };
    return std::any_of(r.members.begin(), r.members.end(), uses) ||
           std::any_of(r.alternatives.begin(), r.alternatives.end(), uses);
  }

  void targets(const record_type& r, const std::string& v, std::uint32_t index) {
    const auto one = [&](const member& m, const std::string& e, const std::string& owner) {
      if (m.group) return targets(*m.group, e, index);
      if (!m.type.pointer() || m.offset != index) return;
      const auto name = m.wrapped ? "value" : m.cpp_name;
      const auto present = m.pointer_default
                               ? fmt::format("!({} == wire::defaults<{}>().{})", e, owner, name)
                               : fmt::format("{}::present({})", kind_of(m.type), e);
      line("if ({}) {}::put(w, at + {}, {});", present, kind_of(m.type), index * 8, e);
    };
    for (const auto& m : r.members) one(*m, v + "." + m->cpp_name, r.qualified);
    for (std::size_t i = 0; i < r.alternatives.size(); ++i) {
      const auto& m = *r.alternatives[i];
      const bool uses =
          m.group ? uses_pointer(*m.group, index) : m.type.pointer() && m.offset == index;
      if (!uses) continue;
      const auto a = fmt::format("a{}", ++variables_);
      block(fmt::format("if (const auto* {} = std::get_if<{}>(&{}.which))", a, i, v),
            [&] { one(m, m.wrapped ? a + "->value" : "(*" + a + ")", m.alternative); });
    }
  }

  void read(const record_type& r, const std::string& v) {
    const auto one = [&](const member& m, const std::string& e) {
      if (m.group) return read(*m.group, e);
      if (is_void(m)) return;
      const auto index = m.offset;
      if (m.type.pointer()) {
        const auto pointer =
            fmt::format("in.pointer({}, {})", index, string_literal(m.schema_name));
        if (m.pointer_default) {
          // What is there replaces the default of the field, it does not add to it.
          line("if (!{}.null()) {} = {};", pointer, e, cpp_type_of(m.type) + "{}");
        }
        line("{}::get({}, {});", kind_of(m.type), pointer, e);
      } else if (m.type.kind == type_kind::boolean) {
        line("{} = in.bit({}{});", e, index, fallback(m));
      } else if (m.type.time) {
        line("{} = timestamp{{milliseconds{{in.get<std::int64_t>({}{})}}}};", e, index,
             fallback(m));
      } else {
        line("{} = in.get<{}>({}{});", e, cpp_type_of(m.type), index, fallback(m));
      }
    };
    for (const auto& m : r.members) one(*m, v + "." + m->cpp_name);
    if (r.alternatives.empty()) return;
    block(fmt::format("switch (in.get<std::uint16_t>({}))", r.discriminant_offset), [&] {
      for (std::size_t i = 0; i < r.alternatives.size(); ++i) {
        const auto& m = *r.alternatives[i];
        block(fmt::format("case {}:", i), [&] {
          const auto a = fmt::format("a{}", ++variables_);
          if (is_void(m)) {
            line("{}.which.emplace<{}>();", v, i);
          } else {
            line("auto& {} = {}.which.emplace<{}>();", a, v, i);
            one(m, value(a, m));
          }
          line("break;");
        });
      }
      line(
          "default: in.fail({}, \"a union's alternative that this version of the schema does not "
          "know\");",
          string_literal(r.cpp_name));
    });
  }

  void print(const record_type& r, const std::string& v) {
    bool first = true;
    const auto label = [&](const std::string& name) {
      line("out.append({});", string_literal((first ? "" : ", ") + name + "="));
      first = false;
    };
    const auto one = [&](const member& m, const std::string& e) {
      if (m.group) {
        line("out.push_back('{{');");
        print(*m.group, e);
        line("out.push_back('}}');");
      } else if (!is_void(m)) {
        line("{}::print(out, {});", kind_of(m.type), e);
      } else {
        line("out.append(\"{{}}\");");
      }
    };
    for (const auto& m : r.members) {
      if (is_void(*m)) continue;
      label(m->cpp_name);
      one(*m, v + "." + m->cpp_name);
    }
    const bool first_of_all = first;
    switch_which(r, v, [&](const member& m, const std::string& a) {
      first = first_of_all;
      label(m.cpp_name);
      one(m, value(a, m));
    });
  }

  void write_json(const record_type& r, const std::string& v) {
    const auto one = [&](const member& m, const std::string& e) {
      line("out.member({});", string_literal(m.schema_name));
      if (m.group) {
        line("out.begin_object();");
        write_json(*m.group, e);
        line("out.end_object();");
      } else if (is_void(m)) {
        line("out.null();");
      } else {
        line("{}::to_json(out, {});", kind_of(m.type), e);
      }
    };
    for (const auto& m : r.members) {
      if (!is_void(*m)) one(*m, v + "." + m->cpp_name);
    }
    switch_which(r, v, [&](const member& m, const std::string& a) { one(m, value(a, m)); });
  }

  void read_json(const record_type& r, const std::string& v, const std::string& in) {
    const auto one = [&](const member& m, const std::string& e) {
      const auto x = fmt::format("m{}", ++variables_);
      line("{}.member({}, [&](const json_view& {}) {{", in, string_literal(m.schema_name), x);
      ++depth_;
      if (m.group) {
        line("if (!{}.is_object()) return;", x);
        read_json(*m.group, e, x);
      } else {
        line("{}::from_json({}, {});", kind_of(m.type), x, e);
      }
      --depth_;
      line("}});");
    };
    for (const auto& m : r.members) {
      if (!is_void(*m)) one(*m, v + "." + m->cpp_name);
    }
    if (r.alternatives.empty()) return;
    const auto found = fmt::format("n{}", ++variables_);
    line("int {} = 0;", found);
    for (std::size_t i = 0; i < r.alternatives.size(); ++i) {
      const auto& m = *r.alternatives[i];
      block(fmt::format("if ({}.has({}))", in, string_literal(m.schema_name)), [&] {
        line("++{};", found);
        if (is_void(m)) {
          line("{}.which.emplace<{}>();", v, i);
        } else {
          const auto a = fmt::format("a{}", ++variables_);
          line("auto& {} = {}.which.emplace<{}>();", a, v, i);
          one(m, value(a, m));
        }
      });
    }
    line("if ({} > 1) {}.fail(\"more than one member of the union\");", found, in);
  }

  const file_model& model_;
  std::string out_;
  int depth_ = 0;
  int variables_ = 0;
};

}  // namespace

std::string emit_source(const file_model& model) { return source_emitter{model}.run(); }

}  // namespace kappa::plugin
