// The visitor of a struct's personal fields.
#include <set>

#include <fmt/format.h>

#include "emit.hpp"
#include "model.hpp"

namespace kappa::plugin {
namespace {

const struct_decl* struct_in(const type_ref& t) {
  const auto* inner = &t;
  while (inner->element) inner = inner->element.get();
  return inner->structure;
}

std::string first_in(const struct_decl& s, std::set<const struct_decl*>& seen) {
  if (!seen.insert(&s).second) return {};
  const auto in_record = [&](const auto& self, const record_type& r,
                             const std::string& scope) -> std::string {
    for (const auto* all : {&r.members, &r.alternatives}) {
      for (const auto& m : *all) {
        const auto name = scope + "." + m->schema_name;
        if (m->type.personal) return name;
        std::string found;
        if (m->group) {
          found = self(self, *m->group, name);
        } else if (const auto* held = struct_in(m->type)) {
          found = first_in(*held, seen);
        }
        if (!found.empty()) return found;
      }
    }
    return {};
  };
  return in_record(in_record, s.record, s.schema_name);
}

class personal_emitter {
 public:
  std::string run(const struct_decl& s) {
    const auto& r = s.record;
    line(
        "void personal_traits<{0}>::visit([[maybe_unused]] {0}& v, [[maybe_unused]] bytes_view "
        "subject, personal_visitor& f) {{",
        r.qualified);
    for (const auto& m : r.members) {
      if (m->is_subject) line("  if (!v.{0}.empty()) subject = v.{0};", m->cpp_name);
    }
    record(r, "v");
    line("}}\n");
    return std::move(out_);
  }

 private:
  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
    out_ += '\n';
  }

  static bool concerns(const member& m) {
    if (m.type.personal) return true;
    if (m.group) {
      for (const auto* all : {&m.group->members, &m.group->alternatives}) {
        for (const auto& inner : *all) {
          if (concerns(*inner)) return true;
        }
      }
      return false;
    }
    const auto* held = struct_in(m.type);
    return held != nullptr && !first_personal(*held).empty();
  }

  void record(const record_type& r, const std::string& v) {
    for (const auto& m : r.members) {
      if (concerns(*m)) one(*m, v + "." + m->cpp_name);
    }
    for (std::size_t i = 0; i < r.alternatives.size(); ++i) {
      const auto& m = *r.alternatives[i];
      if (!concerns(m)) continue;
      const auto a = fmt::format("a{}", ++variables_);
      line("  if (auto* {} = std::get_if<{}>(&{}.which)) {{", a, i, v);
      one(m, m.wrapped ? a + "->value" : "(*" + a + ")");
      line("  }}");
    }
  }

  void one(const member& m, const std::string& e) {
    if (m.group) return record(*m.group, e);
    if (m.type.personal) return line("  f.visit({}, subject);", e);
    auto each = e;
    for (const auto* t = &m.type; t->element; t = t->element.get()) {
      const auto next = fmt::format("e{}", ++variables_);
      line("  for (auto& {} : {})", next, each);
      each = next;
    }
    line("  personal_traits<{}>::visit({}, subject, f);", struct_in(m.type)->record.qualified,
         each);
  }

  std::string out_;
  int variables_ = 0;
};

}  // namespace

std::string first_personal(const struct_decl& s) {
  std::set<const struct_decl*> seen;
  return first_in(s, seen);
}

std::string emit_personal(const struct_decl& s) {
  return first_personal(s).empty() ? std::string{} : personal_emitter{}.run(s);
}

}  // namespace kappa::plugin
