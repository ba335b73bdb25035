// A salvage that is killed, or loses its power, and is begun again: the copy is the one that an
// undisturbed salvage makes.
#include <algorithm>
#include <csignal>
#include <fstream>

#include <fmt/format.h>

#include "crash/lab.hpp"
#include "crash/power/loss.hpp"
#include "kappa/log/embedded_log.hpp"
#include "kappa/log/for_each_record.hpp"
#include "kappa/log/salvage.hpp"

namespace kappa::crash {
namespace {

// A log with one frame that is damaged.
void make_damaged_log(const std::filesystem::path& folder, const std::filesystem::path& said) {
  if (run_to_end({this_program().string(), "log-work", folder.string()}, said) != 0)
    throw std::runtime_error{"log-work failed: " + file_text(said)};
  const auto file = folder / "data.mdb";
  // The last such text may be of a page that is no longer used; each of them is damaged.
  auto all = file_text(file);
  const std::string record = "record 2301 ";
  for (auto at = all.find(record); at != std::string::npos; at = all.find(record, at + 1))
    all[at] ^= 1;
  std::ofstream{file, std::ios::binary} << all;
}

// All records of the topic, as a reader gets them.
std::vector<std::string> records_of(const std::filesystem::path& folder) {
  embedded_log_options options;
  options.folder = folder;
  options.read_only = true;
  auto log = open_embedded_log(options);
  if (!log) return {log.error().text()};
  std::vector<std::string> out{(*log)->id()};
  auto read = for_each_record(**log, "events", [&](const record_view& r) -> result<void> {
    out.push_back(fmt::format("{} {}", r.offset.value, r.value.value_or("")));
    return {};
  });
  if (!read) return {read.error().text()};
  return out;
}

}  // namespace

int salvage_work(const std::filesystem::path& from, const std::filesystem::path& to) {
  salvage_options options;
  options.from = from;
  options.to = to;
  const auto report = salvage_log(options);
  if (report) return report->missing.empty() ? 1 : 0;
  fmt::print("{}\n", report.error().text());
  return report.error().code == errc::already_exists ? 0 : 1;  // it had got its name before
}

int salvage_kills(lab& l, const std::string& name, int most, std::mt19937_64& rng) {
  const auto folder = l.work() / name;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder / "to");
  make_damaged_log(folder / "from", folder / "output");
  power::power_supply supply{folder / "power", {folder / "to"}};
  std::vector<std::string> problems;
  const auto salvage = [&](const std::string& to, std::uint64_t cut) -> std::optional<int> {
    auto environment = supply.environment();
    environment.push_back(fmt::format("KAPPA_POWER_CUT={}", cut));
    process p{{this_program().string(), "salvage-work", (folder / "from").string(),
               (folder / "to" / to).string()},
              environment,
              folder / "output"};
    const auto status = p.wait(std::chrono::seconds{120});
    if (status != 0 && status != -SIGKILL) {
      problems.push_back(fmt::format("salvage, killed at step {}, ended with {}: {}", cut,
                                     status.value_or(-1), file_text(folder / "output")));
    }
    return status;
  };
  salvage("undisturbed", 0);
  const auto steps = supply.steps();
  (void)supply.lose(power::loss_mode::all, rng);
  int kills = 0;
  bool done = false;
  while (problems.empty() && !done) {
    // Every other time only the process dies, and the system goes on.
    const auto before = supply.steps();
    const auto status = salvage("copy", kills < most ? before + pick(rng, 1, steps) : 0);
    done = status == 0;
    if (status == -SIGKILL) ++kills;
    if (done || pick(rng, 0, 1) == 0)
      (void)supply.lose(power::all_loss_modes[pick(rng, 0, 3)], rng);
  }
  if (problems.empty()) {
    const auto expected = records_of(folder / "to/undisturbed");
    const auto found = records_of(folder / "to/copy");
    if (expected.size() < 100) problems.emplace_back("the undisturbed copy has next to nothing");
    if (found != expected)
      problems.push_back(fmt::format("the copy has {} records, expected {}{}", found.size(),
                                     expected.size(), found.size() == 1 ? ": " + found[0] : ""));
  }
  if (!l.report(
          fmt::format("{}: salvage of {} steps: {} kills and losses of power", name, steps, kills),
          problems))
    return 0;
  std::filesystem::remove_all(folder);
  return kills;
}

}  // namespace kappa::crash
