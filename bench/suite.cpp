#include "suite.hpp"

#include <cstdio>
#include <stdexcept>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "measure.hpp"
#include "work_folder.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;

void tell(const report& out, std::size_t from, double took_s) {
  for (auto i = from; i < out.rows().size(); ++i) {
    const auto& r = out.rows()[i];
    std::fprintf(stderr, "%s: %s: %.4g %s%s\n", r.benchmark.c_str(), r.what.c_str(), r.reached,
                 r.unit.c_str(),
                 i + 1 == out.rows().size() ? fmt::format("   [{:.1f} s]", took_s).c_str() : "");
  }
}

void measure(const suite& s, const suite_options& options, const fs::path& folder) {
  const auto machine = machine::look(folder.string());
  std::fprintf(stderr, "%s\n", machine.text().c_str());
  if (s.prepare) s.prepare();
  report out;
  for (const auto& b : s.all) {
    if (b.name.find(options.filter) == std::string::npos) continue;
    const auto own = folder / "now";
    fs::create_directories(own);
    const auto before = out.rows().size();
    context ctx{own, options.quick, out};
    const auto took = timed([&] { b.run(ctx); });
    tell(out, before, took.wall_s);
    fs::remove_all(own);
  }
  if (out.rows().empty())
    throw std::runtime_error{"no benchmark has '" + options.filter + "' in its name"};
  if (options.json) {
    std::printf("%s\n", out.json(machine).c_str());
  } else {
    std::printf("\n%s", out.text().c_str());
    if (options.quick) std::printf("\n--quick: sizes are tiny, these figures mean nothing.\n");
  }
}

}  // namespace

void suite_options::add_to(CLI::App& cli) {
  cli.add_option("--filter", filter, "Only benchmarks with this in their name");
  cli.add_flag("--json", json, "One JSON object on stdout instead of the table");
  cli.add_flag("--quick", quick, "Tiny sizes: shows that everything runs, measures nothing");
  cli.add_option("--work", work, "Folder on a disk to write in (default: beside the program)");
}

int run_suite(const suite& s, suite_options options) {
  const auto refused = [&](const std::exception& e) {
    std::fprintf(stderr, "%s: error: %s\n", s.program.c_str(), e.what());
    return 1;
  };
  try {
    if (options.work.empty())
      options.work = fs::read_symlink("/proc/self/exe").parent_path() / "work";
    const auto room = options.quick ? std::uint64_t{256} << 20 : s.room_bytes;
    return run_in_work_folder(options.work, room, [&](const fs::path& folder) {
      try {
        measure(s, options, folder);
        return 0;
      } catch (const std::exception& e) {
        return refused(e);
      }
    });
  } catch (const std::exception& e) {
    return refused(e);
  }
}

}  // namespace bench
