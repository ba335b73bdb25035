// The crash runner: kills the flights job, and checks that nothing is lost or doubled.
//
//   kappa_crash [failpoints|random|whole|broken|processes]… [--kills N] [--seed S] [--work FOLDER]
//
// Without a part all of them run. --kills is for the random ones (default 60).
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

#include <fmt/format.h>

#include "crash/lab.hpp"

namespace {

using namespace kappa::crash;

std::uint64_t number(const std::string& flag, const std::string& text) {
  char* end = nullptr;
  const auto n = std::strtoull(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0')
    throw std::invalid_argument{flag + " takes a number, not " + text};
  return n;
}

int run(const std::vector<std::string>& arguments) {
  std::set<std::string> parts;
  std::uint64_t kills = 60;
  std::uint64_t seed = 1;
  std::filesystem::path work;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto& a = arguments[i];
    const auto value = [&] {
      if (i + 1 == arguments.size()) throw std::invalid_argument{a + " takes a value"};
      return arguments[++i];
    };
    if (a == "--kills") {
      kills = number(a, value());
    } else if (a == "--seed") {
      seed = number(a, value());
    } else if (a == "--work") {
      work = value();
    } else if (a == "log-work") {
      return log_work(value());
    } else if (a == "failpoints" || a == "random" || a == "whole" || a == "broken" ||
               a == "processes") {
      parts.insert(a);
    } else {
      throw std::invalid_argument{
          "unknown argument " + a +
          "; there are: failpoints random whole broken processes --kills N --seed S --work FOLDER"};
    }
  }
  const bool own_folder = work.empty();
  if (own_folder)
    work = std::filesystem::temp_directory_path() / fmt::format("kappa-crash-{}", ::getpid());
  const auto wanted = [&](const char* part) { return parts.empty() || parts.contains(part); };
  lab l{work, seed};
  fmt::print("seed {}\n", seed);
  if (wanted("failpoints")) failpoint_trials(l);
  if (wanted("random")) random_trials(l, static_cast<int>(kills));
  if (wanted("whole")) whole_trial(l);
  if (wanted("broken")) broken_trials(l);
  if (wanted("processes")) process_trials(l);
  if (l.failures() != 0) {
    fmt::print("{} trials failed; what they left is in {}\n", l.failures(), work.string());
    return 1;
  }
  if (own_folder) std::filesystem::remove_all(work);
  fmt::print("all trials passed\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::invalid_argument& e) {
    fmt::print(stderr, "error: {}\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    fmt::print(stderr, "error: {}\n", e.what());
    return 1;
  }
}
