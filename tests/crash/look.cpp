// What a loss of power has left, looked at before anything runs again.
#include <fmt/format.h>

#include "crash/lab.hpp"
#include "crash/raw_environment.hpp"

namespace kappa::crash {
namespace {

bool has_environment(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / "data.mdb");
}

}  // namespace

std::vector<std::string> wrong_after_loss(const std::filesystem::path& log,
                                          const std::filesystem::path& state, std::uint64_t t1,
                                          std::uint64_t t2) {
  std::vector<std::string> out;
  const auto number_of = [&](const std::filesystem::path& folder) -> std::uint64_t {
    try {
      raw_environment env{folder};
      env.read_all();
      return env.last_transaction();
    } catch (const std::exception& e) {
      out.push_back(fmt::format("damaged: {}", e.what()));
      return UINT64_MAX / 4096;
    }
  };
  const auto compare = [&](const char* what, std::uint64_t there, std::uint64_t promised) {
    if (there < promised)
      out.push_back(fmt::format("lost: {} {} had returned, {} are there", promised, what, there));
  };
  const auto in_log = has_environment(log) ? number_of(log) : 0;
  compare("T1", in_log, t1);
  try {
    if (out.empty() && in_log != 0 && t1 != 0) (void)read_raw_log(log);
  } catch (const std::exception& e) {
    out.push_back(fmt::format("damaged: {}", e.what()));
  }
  std::uint64_t in_states = 0;
  if (std::filesystem::exists(state)) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator{state}) {
      if (entry.is_directory() && has_environment(entry.path()))
        in_states += number_of(entry.path());
    }
  }
  compare("T2", in_states, t2);
  return out;
}

}  // namespace kappa::crash
