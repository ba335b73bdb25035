#include "sim/workers.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <deque>
#include <stdexcept>

#include <fmt/format.h>

namespace kappa::sim {
namespace {

constexpr std::size_t last_steps = 40;

void add(life_stats& sum, const life_stats& s) {
  sum.steps += s.steps;
  sum.epochs += s.epochs;
  sum.snapshots += s.snapshots;
  sum.crashes += s.crashes;
  sum.task_failures += s.task_failures;
  sum.fenced += s.fenced;
  sum.refused_starts += s.refused_starts;
  sum.unknown_outcomes += s.unknown_outcomes;
  sum.queries += s.queries;
  sum.records += s.records;
  sum.timers += s.timers;
  sum.dead_letters += s.dead_letters;
  sum.late += s.late;
}

// What a worker tells the parent, also when it dies: in shared memory.
struct shared_state {
  std::size_t next = 0;  // index of the seed at work, or to be begun
  std::uint64_t done = 0;
  life_stats sum;
  std::size_t findings = 0;
  std::uint64_t failed[64] = {};
};

shared_state* share(int n) {
  void* const map = ::mmap(nullptr, sizeof(shared_state) * static_cast<std::size_t>(n),
                           PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) throw std::runtime_error{"no shared memory"};
  auto* const all = static_cast<shared_state*>(map);
  for (int i = 0; i < n; ++i) new (all + i) shared_state{};
  return all;
}

void note_finding(shared_state& s, std::uint64_t seed) {
  if (s.findings < std::size(s.failed)) s.failed[s.findings] = seed;
  ++s.findings;
}

}  // namespace

bool run_seed(std::uint64_t seed, const std::filesystem::path& folder, bool trace,
              life_stats& stats) {
  std::deque<std::string> last;
  const auto tell = [&](const std::string& line) {
    if (trace) {
      fmt::print("{}\n", line);
    } else {
      last.push_back(line);
      if (last.size() > last_steps) last.pop_front();
    }
  };
  if (trace) std::setvbuf(stdout, nullptr, _IOLBF, 0);  // also when it aborts
  std::string plan;
  try {
    life l{seed, folder, tell};
    plan = describe(l.what());
    l.run();
    add(stats, l.stats());
    return true;
  } catch (const std::exception& e) {
    std::string text = fmt::format("\nseed {}: {}\n", seed, plan);
    for (const auto& line : last) text += line + "\n";
    text += fmt::format("seed {}: FOUND {}\n  again: ./dev check sim --seed {}\n", seed, e.what(),
                        seed);
    fmt::print("{}", text);
    std::fflush(stdout);
    return false;
  }
}

seeds_report run_seeds(const seeds_options& o) {
  const int n = o.processes;
  auto* const all = share(n);
  const auto width = static_cast<std::size_t>(n);
  const auto start = [&](int w) {
    std::fflush(stdout);
    const auto pid = ::fork();
    if (pid < 0) throw std::runtime_error{"cannot fork"};
    if (pid > 0) return pid;
    auto& s = all[w];
    for (; s.next < o.seeds.size(); s.next += width) {
      if (s.findings >= o.most_findings) break;
      ::alarm(static_cast<unsigned>(o.longest.count()));
      const auto seed = o.seeds[s.next];
      if (!run_seed(seed, o.folder / std::to_string(w), false, s.sum)) note_finding(s, seed);
      ++s.done;
    }
    ::_exit(0);
  };
  std::vector<pid_t> workers;
  for (int w = 0; w < n; ++w) {
    all[w].next = static_cast<std::size_t>(w);
    workers.push_back(start(w));
  }
  for (int w = 0; w < n; ++w) {
    for (;;) {
      int status = 0;
      if (::waitpid(workers[static_cast<std::size_t>(w)], &status, 0) < 0) break;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
      auto& s = all[w];
      const auto seed = o.seeds.at(s.next);
      fmt::print(
          "\nseed {}: FOUND: the process ended with {}\n  again: ./dev check sim --seed {}\n", seed,
          WIFSIGNALED(status)
              ? fmt::format("signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)))
              : fmt::format("status {}", WEXITSTATUS(status)),
          seed);
      note_finding(s, seed);
      ++s.done;
      s.next += width;
      workers[static_cast<std::size_t>(w)] = start(w);
    }
  }
  seeds_report report;
  for (int w = 0; w < n; ++w) {
    report.done += all[w].done;
    add(report.sum, all[w].sum);
    for (std::size_t i = 0; i < std::min(all[w].findings, std::size(all[w].failed)); ++i)
      report.failed.push_back(all[w].failed[i]);
  }
  ::munmap(all, sizeof(shared_state) * width);
  std::error_code ignored;
  std::filesystem::remove_all(o.folder, ignored);
  return report;
}

}  // namespace kappa::sim
