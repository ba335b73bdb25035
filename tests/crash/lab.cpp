#include "crash/lab.hpp"

#include <algorithm>
#include <fstream>
#include <optional>
#include <stdexcept>

#include <fmt/format.h>

#include "kappa_paths.hpp"

namespace kappa::crash {
namespace {

const std::filesystem::path source_dir{test_paths::source_dir};
const std::filesystem::path program =
    std::filesystem::path{test_paths::binary_dir} / "examples/flights/flights";
const auto real_file = source_dir / "examples/flights/data/flights-2001-01.csv.zst";

void must_run(const std::vector<std::string>& command, const std::filesystem::path& output) {
  if (run_to_end(command, output) == 0) return;
  throw std::runtime_error{command[0] + " " + command[1] + " failed:\n" + file_text(output)};
}

std::string script(const std::string& name) {
  return (source_dir / "tests/flights" / name).string();
}

}  // namespace

std::uint64_t pick(std::mt19937_64& rng, std::uint64_t low, std::uint64_t high) {
  return std::uniform_int_distribution<std::uint64_t>{low, std::max(low, high)}(rng);
}

std::chrono::nanoseconds moment(std::mt19937_64& rng, std::int64_t low, std::int64_t high) {
  return std::chrono::nanoseconds{
      pick(rng, static_cast<std::uint64_t>(low), static_cast<std::uint64_t>(std::max(low, high)))};
}

std::filesystem::path this_program() {
  return std::filesystem::path{test_paths::binary_dir} / "tests/crash/kappa_crash";
}

std::chrono::nanoseconds held_for(const reference& of) {
  return std::chrono::nanoseconds{of.busy_ns / 8} + std::chrono::milliseconds{200};
}

std::mt19937_64 lab::random(const std::string& name) const {
  std::uint64_t h = seed_ * 0x9e3779b97f4a7c15 + 1;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return std::mt19937_64{h};
}

const reference& lab::small() {
  if (const auto it = references_.find("small"); it != references_.end()) return it->second;
  std::filesystem::create_directories(work_);
  const auto input = work_ / "small.csv";
  must_run({"python3", script("mangle.py"), "--rows", "60000", "--garbage", "0.01", "--seed", "3",
            "--input", real_file.string(), "--out", input.string()},
           work_ / "mangle.txt");
  return references_.emplace("small", undisturbed("small", input, 60'000)).first->second;
}

const reference& lab::dense() {
  if (const auto it = references_.find("dense"); it != references_.end()) return it->second;
  std::filesystem::create_directories(work_);
  const auto input = work_ / "dense.csv";
  must_run({"python3", (source_dir / "tests/crash/thin.py").string(), "--every", "8", "--input",
            real_file.string(), "--out", input.string()},
           work_ / "thin.txt");
  return references_.emplace("dense", undisturbed("dense", input, 60'000)).first->second;
}

const reference& lab::whole() {
  if (const auto it = references_.find("whole"); it != references_.end()) return it->second;
  std::filesystem::create_directories(work_);
  return references_.emplace("whole", undisturbed("whole", real_file, 250'000)).first->second;
}

reference lab::undisturbed(const std::string& name, const std::filesystem::path& input,
                           double rate) {
  reference r;
  r.input = input;
  r.rate = rate;
  const auto oracle = work_ / (name + "-oracle");
  const auto said = work_ / (name + "-oracle.txt");
  must_run({"python3", script("oracle.py"), "--input", input.string(), "--out", oracle.string()},
           said);
  std::ifstream bad{oracle / "dead-letters.txt"};
  for (std::int64_t row = 0; bad >> row;) r.bad_rows.insert(row);
  std::ifstream summary{oracle / "summary.txt"};
  for (std::string what; summary >> what;) {
    if (what == "rows") {
      summary >> r.rows;
      break;
    }
  }

  // A trial takes so many commits, and how many there are in a second is the disk's business: as
  // slow as it takes for twice as many.
  std::optional<job> made;
  auto started = now_ns();
  for (int tries = 1;; ++tries) {
    made.emplace(program, r, work_ / (name + "-undisturbed"));
    started = now_ns();
    if (const auto status = made->run(); status != 0) {
      throw std::runtime_error{
          fmt::format("the undisturbed run ended with {}: {}", status, made->said())};
    }
    r.counts = made->counts();
    if (tries == 4 || (r.counts.t1() >= 2 * least_t1 && r.counts.t2() >= 2 * least_t2)) break;
    r.rate /= 2;
  }
  const auto& j = *made;
  const auto t1 = r.counts.of("log.after_commit");
  r.startup_ns = t1.first_ns - started;
  r.busy_ns = t1.last_ns - t1.first_ns;
  must_run({"python3", script("compare.py"), oracle.string(), j.out().string()},
           work_ / (name + "-compare.txt"));
  r.log = read_raw_log(j.log());
  r.dump = file_text(j.dump());
  r.hours = file_text(j.out() / "hourly-delays.csv");
  r.alerts = file_text(j.out() / "delay-alerts.csv");
  if (const auto wrong = broken_rules(r, r.log); !wrong.empty()) {
    throw std::runtime_error{"the undisturbed run: " + wrong.front()};
  }
  fmt::print(
      "{}: {} rows, {} bad; undisturbed {} T1 and {} T2 in {} ms; agrees with the SQL "
      "computation\n",
      name, r.rows, r.bad_rows.size(), r.counts.t1(), r.counts.t2(), r.busy_ns / 1'000'000);
  std::fflush(stdout);
  return r;
}

job lab::make_job(const reference& of, const std::string& name,
                  std::vector<std::string> environment) {
  return job{program, of, work_ / name, std::move(environment)};
}

bool lab::report(const job& j, const std::string& name) {
  const auto c = j.counts();
  fmt::print("{:4} {:28} {} kills, {} of them between the first T1 and the last; {} T1, {} T2{}\n",
             j.problems().empty() ? "ok" : "FAIL", name, j.kills(), j.kills_in_the_middle(), c.t1(),
             c.t2(), j.problems().empty() ? "" : "; see " + j.folder().string());
  for (const auto& p : j.problems()) fmt::print("     {}\n", p);
  std::fflush(stdout);
  if (j.problems().empty()) {
    std::filesystem::remove_all(j.folder());
    return true;
  }
  ++failures_;
  return false;
}

bool lab::report(const std::string& name, const std::vector<std::string>& problems) {
  fmt::print("{:4} {}\n", problems.empty() ? "ok" : "FAIL", name);
  for (const auto& p : problems) fmt::print("     {}\n", p);
  std::fflush(stdout);
  if (!problems.empty()) ++failures_;
  return problems.empty();
}

}  // namespace kappa::crash
