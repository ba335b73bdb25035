// The simulation: random apps on a memory log, a seeded scheduler, faults, and a model.
//
//   kappa_sim [--seeds N] [--from SEED] [--processes N]   many seeds (default 10,000, from 1)
//   kappa_sim --seed N [--trace]                          one; --trace prints every step
//   kappa_sim --list FILE                                 the seeds in a file
//   kappa_sim … --twice                                   each seed twice: the same steps
//   kappa_sim … --must-find                               a build that is wrong on purpose
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sim/workers.hpp"

namespace {

using namespace kappa::sim;

struct arguments {
  std::uint64_t seeds = 10'000;
  std::uint64_t from = 1;
  std::optional<std::uint64_t> seed;
  std::string list;
  int processes = 0;
  bool trace = false;
  bool twice = false;
  bool must_find = false;
};

std::uint64_t number(const std::string& flag, const std::string& text) {
  std::uint64_t n = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (ec != std::errc{} || end != text.data() + text.size())
    throw std::invalid_argument{flag + " takes a number, not " + text};
  return n;
}

arguments parse(const std::vector<std::string>& words) {
  arguments a;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto& w = words[i];
    const auto value = [&] {
      if (i + 1 == words.size()) throw std::invalid_argument{w + " takes a value"};
      return words[++i];
    };
    if (w == "--seeds") {
      a.seeds = number(w, value());
    } else if (w == "--from") {
      a.from = number(w, value());
    } else if (w == "--seed") {
      a.seed = number(w, value());
    } else if (w == "--list") {
      a.list = value();
    } else if (w == "--processes") {
      a.processes = static_cast<int>(std::clamp<std::uint64_t>(number(w, value()), 1, 64));
    } else if (w == "--trace") {
      a.trace = true;
    } else if (w == "--twice") {
      a.twice = true;
    } else if (w == "--must-find") {
      a.must_find = true;
    } else {
      throw std::invalid_argument{"unknown argument " + w +
                                  "; there are: --seeds N --from SEED --processes N --seed N "
                                  "--trace --list FILE --twice --must-find"};
    }
  }
  return a;
}

// State in memory where there is such a folder: nothing here is about the disk.
std::filesystem::path work_folder() {
  const std::filesystem::path memory{"/dev/shm"};
  const bool usable = ::access(memory.c_str(), W_OK) == 0;
  return (usable ? memory : std::filesystem::temp_directory_path()) /
         fmt::format("kappa-sim-{}", ::getpid());
}

// The steps of a seed, one hash of all lines.
std::uint64_t hash_of(std::uint64_t seed, const std::filesystem::path& folder) {
  std::uint64_t h = 0;
  life l{seed, folder, [&](const std::string& line) { h = kappa::checksum(line, h); }};
  l.run();
  return h;
}

int twice(const arguments& a, const std::filesystem::path& folder) {
  int differ = 0;
  for (auto seed = a.from; seed < a.from + a.seeds; ++seed) {
    if (hash_of(seed, folder) == hash_of(seed, folder)) continue;
    fmt::print("seed {}: not the same steps the second time\n", seed);
    ++differ;
  }
  fmt::print("{} seeds, each twice: {} differ\n", a.seeds, differ);
  return differ == 0 ? 0 : 1;
}

int run(const arguments& a) {
  const auto folder = work_folder();
  if (a.seed && !a.twice) {
    life_stats stats;
    const bool good = run_seed(*a.seed, folder, a.trace, stats);
    fmt::print("seed {}: {}\n", *a.seed, good ? "nothing found" : "a finding");
    return good ? 0 : 1;
  }
  if (a.twice) return twice(a, folder);
  seeds_options o;
  o.folder = folder;
  o.processes = a.processes > 0
                    ? a.processes
                    : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  if (!a.list.empty()) {
    std::ifstream in{a.list};
    if (!in) throw std::invalid_argument{"cannot read " + a.list};
    for (std::string line; std::getline(in, line);) {
      if (!line.empty() && line[0] != '#')
        o.seeds.push_back(number(a.list, line.substr(0, line.find(' '))));
    }
  } else {
    for (std::uint64_t i = 0; i < a.seeds; ++i) o.seeds.push_back(a.from + i);
  }
  if (a.must_find) o.most_findings = 1;
  const auto began = std::chrono::steady_clock::now();
  const auto report = run_seeds(o);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  const auto& s = report.sum;
  fmt::print(
      "{} seeds in {:.0f} s: {} steps, {} epochs, {} records, {} timers, {} dead letters, {} late "
      "records, {} snapshots, {} queries; {} processes ended, {} tasks opened anew, {} unknown "
      "outcomes, {} owners fenced, {} starts refused\n",
      report.done, took.count(), s.steps, s.epochs, s.records, s.timers, s.dead_letters, s.late,
      s.snapshots, s.queries, s.crashes, s.task_failures, s.unknown_outcomes, s.fenced,
      s.refused_starts);
  if (a.must_find) {
    fmt::print("{}\n", report.failed.empty() ? "NOT FOUND: what is wrong on purpose was not seen"
                                             : "found, as it must be");
    return report.failed.empty() ? 1 : 0;
  }
  if (report.failed.empty()) {
    fmt::print("nothing found\n");
    return 0;
  }
  fmt::print("{} seeds with findings: {}\n", report.failed.size(), fmt::join(report.failed, " "));
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(parse({argv + 1, argv + argc}));
  } catch (const std::exception& e) {
    fmt::print(stderr, "kappa_sim: {}\n", e.what());
    return 2;
  }
}
