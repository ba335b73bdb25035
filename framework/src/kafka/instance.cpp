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

instance::instance(std::filesystem::path folder, std::string id)
    : folder_{std::move(folder)}, id_{std::move(id)}, life_{new_id()} {}

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

// The name of an app has no '~'.
std::filesystem::path instance::term_file(const std::string& app, int lane) const {
  return folder_ / (lane == 0 ? app + ".term" : fmt::format("{}~{}.term", app, lane));
}

result<writer_term> instance::next_term(const std::string& app, int lane) {
  const auto path = term_file(app, lane);
  if (folder_.empty()) return writer_term{++terms_[path]};
  std::uint64_t last = 0;
  if (std::ifstream in{path}; in && !(in >> last))
    return fail(errc::corrupt, path.string(), "it should hold a number; delete it");
  const writer_term next{last + 1};
  if (auto put = put_file(path, std::to_string(next.value)); !put) return fail(put.error());
  return next;
}

std::vector<int> instance::former_lanes(const std::string& app, int lanes) const {
  std::vector<int> found;
  if (folder_.empty()) return found;
  std::error_code bad;
  for (int lane = lanes; std::filesystem::exists(term_file(app, lane), bad); ++lane)
    found.push_back(lane);
  return found;
}

result<void> instance::forget_lane(const std::string& app, int lane) {
  const auto path = term_file(app, lane);
  std::error_code bad;
  std::filesystem::remove(path, bad);
  if (bad) return fail(errc::io, path.string(), bad.message());
  return {};
}

}  // namespace kappa::kafka
