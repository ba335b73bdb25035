#include "measure.hpp"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <stdexcept>

namespace bench {
namespace {

double cpu_seconds(whose cpu) {
  struct ::rusage u {};
  ::getrusage(cpu == whose::thread ? RUSAGE_THREAD : RUSAGE_SELF, &u);
  const auto seconds = [](const ::timeval& t) {
    return double(t.tv_sec) + double(t.tv_usec) / 1e6;
  };
  return seconds(u.ru_utime) + seconds(u.ru_stime);
}

}  // namespace

spent timed(const std::function<void()>& f, whose cpu) {
  const auto cpu_before = cpu_seconds(cpu);
  const auto began = std::chrono::steady_clock::now();
  f();
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - began;
  return {wall.count(), cpu_seconds(cpu) - cpu_before};
}

std::vector<int> cores() {
  ::cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    throw std::runtime_error{"the cores that this process may run on are not known"};
  std::vector<int> all;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &allowed)) all.push_back(core);
  }
  return all;
}

void run_on(const std::vector<int>& cores) {
  ::cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(core, &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0)
    throw std::runtime_error{"the process cannot be pinned to a core"};
}

void pin_to_one_core() { run_on({cores().back()}); }

memory resident() {
  std::ifstream in{"/proc/self/status"};
  memory m;
  for (std::string name; in >> name;) {
    std::uint64_t kib = 0;
    if (name == "RssAnon:" && in >> kib) m.anonymous = kib * 1024;
    if (name == "RssFile:" && in >> kib) m.files = kib * 1024;
  }
  return m;
}

spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto n = values.size();
  const auto middle = n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
  return {middle, values.front(), values.back()};
}

comparison compare(int rounds, const std::function<spent(int round)>& engine,
                   const std::function<spent(int round)>& ceiling) {
  std::vector<double> wall;
  std::vector<double> cpu;
  std::vector<double> engines;
  std::vector<double> ceilings;
  for (int i = 0; i < rounds; ++i) {
    const auto a = engine(i);
    const auto b = ceiling(i);
    wall.push_back(100 * b.wall_s / a.wall_s);
    cpu.push_back(a.cpu_s > 0 ? 100 * b.cpu_s / a.cpu_s : 100);
    engines.push_back(a.wall_s);
    ceilings.push_back(b.wall_s);
  }
  return {spread_of(wall), spread_of(cpu), spread_of(engines), spread_of(ceilings)};
}

}  // namespace bench
