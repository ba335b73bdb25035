// The benchmarks, as one program: `./dev bench`.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "bench.hpp"
#include "measure.hpp"
#include "micro/micro.hpp"
#include "work_folder.hpp"

namespace {

namespace fs = std::filesystem;

std::vector<bench::benchmark> all_benchmarks() {
  std::vector<bench::benchmark> all;
  // Memory first: what others have freed would hide a growth.
  for (auto part :
       {bench::memory_benchmarks(), bench::append_benchmarks(), bench::stream_benchmarks(),
        bench::state_benchmarks(), bench::size_benchmarks()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

struct settings {
  std::string filter;
  bool quick = false;
  bool json = false;
};

int measure(const settings& s, const fs::path& folder) {
  const auto machine = bench::machine::look(folder.string());
  std::fprintf(stderr, "%s\n", machine.text().c_str());
  bench::pin_to_one_core();
  bench::report out;
  for (const auto& b : all_benchmarks()) {
    if (b.name.find(s.filter) == std::string::npos) continue;
    const auto own = folder / "now";
    fs::create_directories(own);
    const auto before = out.rows().size();
    bench::context ctx{own, s.quick, out};
    const auto took = bench::timed([&] { b.run(ctx); });
    for (auto i = before; i < out.rows().size(); ++i) {
      const auto& r = out.rows()[i];
      std::fprintf(
          stderr, "%s: %s: %.4g %s%s\n", r.benchmark.c_str(), r.what.c_str(), r.reached,
          r.unit.c_str(),
          i + 1 == out.rows().size() ? fmt::format("   [{:.1f} s]", took.wall_s).c_str() : "");
    }
    fs::remove_all(own);
  }
  if (out.rows().empty())
    throw std::runtime_error{"no benchmark has '" + s.filter + "' in its name"};
  if (s.json) {
    std::printf("%s\n", out.json(machine).c_str());
  } else {
    std::printf("\n%s", out.text().c_str());
    if (s.quick) std::printf("\n--quick: sizes are tiny, these figures mean nothing.\n");
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli{
      "The engine against hand-written loops: shares of what they reach, measured in turns."};
  settings s;
  fs::path work;
  std::vector<std::string> micro;
  cli.add_option("--filter", s.filter, "Only benchmarks with this in their name");
  cli.add_flag("--json", s.json, "One JSON object on stdout instead of the table");
  cli.add_flag("--quick", s.quick, "Tiny sizes: shows that everything runs, measures nothing");
  cli.add_option("--work", work, "Folder on a disk to write in (default: beside the program)");
  cli.add_option("--micro", micro, "The micro-benchmarks instead; arguments go to Google Benchmark")
      ->expected(0, -1);
  CLI11_PARSE(cli, argc, argv);
  try {
    if (cli.count("--micro") > 0) return bench::run_micro(argv[0], micro);
    if (work.empty()) work = fs::read_symlink("/proc/self/exe").parent_path() / "work";
    const std::uint64_t needed = s.quick ? std::uint64_t{256} << 20 : std::uint64_t{10} << 30;
    return bench::run_in_work_folder(work, needed, [&](const fs::path& folder) {
      try {
        return measure(s, folder);
      } catch (const std::exception& e) {
        std::fprintf(stderr, "kappa_bench: error: %s\n", e.what());
        return 1;
      }
    });
  } catch (const std::exception& e) {
    std::fprintf(stderr, "kappa_bench: error: %s\n", e.what());
    return 1;
  }
}
