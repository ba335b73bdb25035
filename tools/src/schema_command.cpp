// kappa schema check: whether a new version of a schema reads what the old one wrote.

#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "decoding.hpp"
#include "output.hpp"
#include "schema_changes.hpp"

namespace kappa::tools {
namespace {

struct schema_arguments {
  std::string old_file;
  std::string new_file;
  std::vector<std::string> imports;
  bool json = false;
};

std::string json_of_changes(const std::vector<schema_change>& all) {
  std::string out;
  for (const auto& c : all) {
    out += fmt::format(R"({}{{"type":{},"why":{}}})", out.empty() ? "" : ",", json_text(c.type),
                       json_text(c.why));
  }
  return "[" + out + "]";
}

std::string text_of_changes(const schema_changes& c) {
  std::string out;
  for (const auto& one : c.breaking) out += fmt::format("breaking: {}: {}\n", one.type, one.why);
  for (const auto& one : c.one_way) out += fmt::format("one-way: {}: {}\n", one.type, one.why);
  if (!c.breaking.empty()) {
    out +=
        fmt::format("{} breaking change{}\n", c.breaking.size(), c.breaking.size() == 1 ? "" : "s");
  } else if (!c.one_way.empty()) {
    out += "the new version reads all that the old one wrote, but not the other way round\n";
  } else {
    out += "the new version reads all that the old one wrote, and the other way round\n";
  }
  return out;
}

int check_schemas(const schema_arguments& a) {
  const auto was = read_schema_types(a.old_file, a.imports);
  if (!was) return complain(was.error(), exit_refused);
  const auto is = read_schema_types(a.new_file, a.imports);
  if (!is) return complain(is.error(), exit_refused);
  const auto changes = compare_schemas(*was, *is);
  const auto text = a.json
                        ? fmt::format("{{\"compatible\":{},\"breaking\":{},\"one_way\":{}}}\n",
                                      changes.breaking.empty(), json_of_changes(changes.breaking),
                                      json_of_changes(changes.one_way))
                        : text_of_changes(changes);
  if (!put(text)) return exit_failed;
  return changes.breaking.empty() ? exit_done : exit_failed;
}

}  // namespace

void add_schema(command_line& line) {
  auto& exit_code = line.exit_code();
  auto a = std::make_shared<schema_arguments>();
  auto* const schema = line.root().add_subcommand("schema", "Look at schemas, without a log");
  schema->require_subcommand(1);
  schema->footer("");
  auto* const check =
      schema->add_subcommand("check", "Whether NEW reads all that was written with OLD");
  check->add_option("OLD", a->old_file, "The .capnp file as it was")->required();
  check->add_option("NEW", a->new_file, "As it is")->required();
  check
      ->add_option("-I,--import-path", a->imports,
                   "Where imports that begin with / are looked for; may be repeated")
      ->allow_extra_args(false);
  check->add_flag("--json", a->json, "One JSON document");
  check->footer(
      "Needs Cap'n Proto's compiler (capnp) in PATH. Exit code: 0 it does, 1 a breaking change, 2 "
      "wrong usage,\n3 a file cannot be read, or does not compile.");
  check->callback([a, &exit_code] { exit_code = check_schemas(*a); });
}

}  // namespace kappa::tools
