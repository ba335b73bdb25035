#include "kafka/instance.hpp"

#include <fstream>
#include <random>

#include <fmt/format.h>

#include "kappa/core/folders.hpp"

namespace kappa::kafka {
namespace {

std::string new_id() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", device(), device());
}

// By rename, so that it is there whole or not at all.
result<void> put_file(const std::filesystem::path& path, const std::string& text) {
  const auto fresh = path.string() + ".new";
  {
    std::ofstream out{fresh, std::ios::trunc};
    out << text << '\n';
    out.flush();
    if (!out) return fail(errc::io, fresh, "cannot write it");
  }
  std::error_code bad;
  std::filesystem::rename(fresh, path, bad);
  if (bad) return fail(errc::io, path.string(), bad.message());
  return {};
}

}  // namespace

result<instance> instance::open(const std::filesystem::path& folder) {
  if (folder.empty()) return instance{folder, new_id()};
  if (auto made = make_folders(folder); !made) return fail(made.error());
  const auto path = folder / "instance";
  std::string id;
  if (std::ifstream in{path}; in && !(in >> id)) {
    return fail(errc::corrupt, path.string(),
                "it should hold this instance's id; delete it, and the process is a new instance");
  }
  if (id.empty()) {
    id = new_id();
    if (auto put = put_file(path, id); !put) return fail(put.error());
  }
  return instance{folder, std::move(id)};
}

std::filesystem::path instance::term_file(const std::string& app) const {
  return folder_ / (app + ".term");
}

result<writer_term> instance::last_term(const std::string& app) const {
  if (folder_.empty()) return writer_term{term_};
  std::uint64_t term = 0;
  const auto path = term_file(app);
  if (std::ifstream in{path}; in && !(in >> term))
    return fail(errc::corrupt, path.string(), "it should hold a number; delete it");
  return writer_term{term};
}

result<writer_term> instance::next_term(const std::string& app) {
  auto last = last_term(app);
  if (!last) return last;
  const auto next = *last + 1;
  if (folder_.empty()) {
    term_ = next.value;
  } else if (auto put = put_file(term_file(app), std::to_string(next.value)); !put) {
    return fail(put.error());
  }
  return next;
}

}  // namespace kappa::kafka
