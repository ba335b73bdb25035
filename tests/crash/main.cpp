// The crash runner: kills the flights job, and checks that nothing is lost or doubled.
//
// What it takes: usage() below, or kappa_crash --help.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <set>
#include <stdexcept>

#include <fmt/format.h>

#include "crash/lab.hpp"
#include "kappa_paths.hpp"

namespace {

using namespace kappa::crash;

constexpr const char* all_parts[] = {"failpoints", "random", "whole",   "broken",
                                     "processes",  "power",  "unsynced"};

void usage() {
  fmt::print(
      "kappa_crash [PART…] [--kills N] [--losses N] [--seed S] [--work FOLDER]\n"
      "\n"
      "Kills the flights job, takes its power away, and checks that nothing is lost or doubled.\n"
      "Parts, all of them without one:\n"
      "\n"
      "  failpoints   a kill at each step of commit, snapshot, append, retention and start\n"
      "  random       N kills at seeded moments (--kills, default 60)\n"
      "  whole        some of them on the whole file\n"
      "  broken       builds that are wrong on purpose must be caught\n"
      "  processes    deleted state, a second process, SIGTERM, another log\n"
      "  power        N losses of power: what was not synced is lost (--losses, default 24)\n"
      "  unsynced     builds that do not sync must be caught after losses of power\n"
      "\n"
      "  --seed S       the same moments again (default 1)\n"
      "  --work FOLDER  where the trials run; those that fail stay there\n"
      "\n"
      "kappa_crash --log kafka [--faults N] [--seed S] [--work FOLDER]: the job on Kafka as three\n"
      "processes, under N faults (default 100); --log kafka --help tells more.\n");
}

// tests/kafka/faults, which takes the place of this process.
int on_kafka(const std::vector<std::string>& arguments) {
  const std::filesystem::path source{kappa::test_paths::source_dir};
  const auto program =
      std::filesystem::path{kappa::test_paths::binary_dir} / "examples/flights/flights";
  std::vector<std::string> words{
      "/usr/bin/python3",  // that which Debian's confluent_kafka is for
      "-B",
      (source / "tests/kafka/faults").string(),
      "--program",
      program.string(),
      "--input",
      (source / "examples/flights/data/flights-2001-01.csv.zst").string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  throw std::runtime_error{std::string{"/usr/bin/python3 cannot be started: "} +
                           std::strerror(errno)};
}

std::uint64_t number(const std::string& flag, const std::string& text) {
  char* end = nullptr;
  const auto n = std::strtoull(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0')
    throw std::invalid_argument{flag + " takes a number, not " + text};
  return n;
}

// For power trials: look LOG STATE T1 T2.
int look(const std::vector<std::string>& arguments) {
  if (arguments.size() != 5) throw std::invalid_argument{"look takes LOG STATE T1 T2"};
  const auto wrong = wrong_after_loss(arguments[1], arguments[2], number("T1", arguments[3]),
                                      number("T2", arguments[4]));
  for (const auto& w : wrong) fmt::print("{}\n", w);
  return wrong.empty() ? 0 : 1;
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() >= 2 && arguments[0] == "--log") {
    if (arguments[1] != "kafka") throw std::invalid_argument{"--log takes kafka"};
    return on_kafka({arguments.begin() + 2, arguments.end()});
  }
  std::set<std::string> parts;
  std::uint64_t kills = 60;
  std::uint64_t losses = 24;
  std::uint64_t seed = 1;
  std::filesystem::path work;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto& a = arguments[i];
    const auto value = [&] {
      if (i + 1 == arguments.size()) throw std::invalid_argument{a + " takes a value"};
      return arguments[++i];
    };
    if (a == "--help" || a == "-h") {
      usage();
      return 0;
    }
    if (a == "--kills") {
      kills = number(a, value());
    } else if (a == "--losses") {
      losses = number(a, value());
    } else if (a == "--seed") {
      seed = number(a, value());
    } else if (a == "--work") {
      work = value();
    } else if (a == "log-work") {
      const auto folder = value();
      return log_work(folder, i + 1 < arguments.size() ? value() : "");
    } else if (a == "salvage-work") {
      const auto from = value();
      return salvage_work(from, value());
    } else if (a == "look") {
      return look(arguments);
    } else if (std::find(std::begin(all_parts), std::end(all_parts), a) != std::end(all_parts)) {
      parts.insert(a);
    } else {
      throw std::invalid_argument{"unknown argument " + a + "; see kappa_crash --help"};
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
  if (wanted("power")) power_trials(l, static_cast<int>(losses));
  if (wanted("unsynced")) unsynced_trials(l);
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
