#include "schema_types.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "emit.hpp"
#include "kappa/core/bytes.hpp"
#include "kappa/serialization/evolution.hpp"
#include "kappa_schema_text.hpp"
#include "request.hpp"

namespace kappa::tools {
namespace {

namespace fs = std::filesystem;

// For the compiler's output, and for Kappa's own schema, so that it need not be installed.
class work_folder {
 public:
  work_folder() = default;
  ~work_folder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  work_folder(const work_folder&) = delete;
  work_folder& operator=(const work_folder&) = delete;

  [[nodiscard]] result<void> make() {
    std::error_code ec;
    auto name = (fs::temp_directory_path(ec) / "kappa-schema-XXXXXX").string();
    if (ec || ::mkdtemp(name.data()) == nullptr)
      return fail(errc::io, "schema check", "cannot make a folder for temporary files in " + name);
    path_ = name;
    fs::create_directories(path_ / "kappa", ec);
    std::ofstream out{path_ / "kappa" / "kappa.capnp"};
    out << kappa_schema_text;
    out.close();
    if (ec || !out) return fail(errc::io, path_.string(), "cannot write temporary files there");
    return {};
  }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string whole_text(const fs::path& file) {
  std::ifstream in{file, std::ios::binary};
  std::stringstream all;
  all << in.rdbuf();
  return all.str();
}

// The compiler's request to its plug-ins.
result<std::string> compile_schema(const fs::path& file, const std::vector<std::string>& imports,
                                   const work_folder& work) {
  std::vector<std::string> words{"capnp", "compile", "-I" + work.path().string()};
  for (const auto& folder : imports) words.push_back("-I" + folder);
  words.insert(words.end(), {"-o-", file.string()});
  std::vector<char*> arguments;
  for (auto& w : words) arguments.push_back(w.data());
  arguments.push_back(nullptr);
  const auto out = (work.path() / "request").string();
  const auto complaints = (work.path() / "complaints").string();
  constexpr int flags = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, out.c_str(), flags, 0600);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, complaints.c_str(), flags, 0600);
  pid_t pid = 0;
  const int failed = ::posix_spawnp(&pid, "capnp", &files, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (failed != 0) {
    return fail(errc::not_found, "capnp",
                fmt::format("Cap'n Proto's schema compiler cannot be started ({}). It must be in "
                            "PATH; Debian: apt-get install capnproto",
                            std::strerror(failed)));
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return fail(errc::io, "capnp", "it cannot be waited for");
  }
  if (status != 0) {
    auto why = whole_text(complaints);
    while (why.ends_with('\n')) why.pop_back();
    return fail(errc::bad_config, file.string(),
                why.empty() ? "Cap'n Proto's compiler ended without a word" : why);
  }
  return whole_text(out);
}

void note_protocol(std::vector<schema_type>& all, const plugin::protocol_decl& p,
                   const std::vector<const plugin::struct_decl*>& members, type_role role) {
  for (const auto* m : members) {
    const auto at = std::find_if(all.begin(), all.end(),
                                 [&](const schema_type& t) { return t.schema.id == m->id; });
    if (at == all.end()) continue;
    at->role = role;
    at->protocol = p.name;
  }
}

std::vector<schema_type> types_of(const plugin::file_model& model) {
  std::vector<schema_type> all;
  std::set<std::uint64_t> parts;
  for (const auto* s : model.structs) {
    auto& t = all.emplace_back();
    t.schema.name = s->schema_name;
    t.schema.id = s->id;
    t.schema.description = plugin::describe(*s);
    t.schema.fingerprint = checksum(t.schema.description);
    t.schema.can_read = &capnp_can_read;
    for (const auto& m : s->record.members) {
      if (m->is_key) t.key = m->schema_name;
      if (m->is_event_time) t.event_time = m->schema_name;
    }
    plugin::for_each_type(s->record, [&](const plugin::type_ref& type) {
      if (type.structure != nullptr && type.structure != s) parts.insert(type.structure->id);
    });
  }
  for (auto& t : all) t.is_a_part = parts.contains(t.schema.id);
  for (const auto& p : model.protocols) {
    note_protocol(all, p, p.commands, type_role::command);
    note_protocol(all, p, p.events, type_role::event);
    note_protocol(all, p, p.former_events, type_role::former_event);
  }
  return all;
}

}  // namespace

result<std::vector<schema_type>> read_schema_types(const fs::path& file,
                                                   const std::vector<std::string>& imports) {
  std::error_code ec;
  if (!fs::is_regular_file(file, ec))
    return fail(errc::not_found, file.string(), "there is no such file");
  work_folder work;
  if (auto made = work.make(); !made) return fail(made.error());
  auto request = compile_schema(file, imports, work);
  if (!request) return fail(request.error());
  try {
    const plugin::compiled_schema schema{*request, ""};
    return types_of(schema.files().at(0));
  } catch (const std::exception& e) {
    return fail(errc::bad_config, file.string(), e.what());
  }
}

}  // namespace kappa::tools
