#include "crash/job.hpp"

#include <algorithm>
#include <csignal>
#include <fstream>
#include <utility>

#include <fmt/format.h>

namespace kappa::crash {
namespace {

constexpr std::chrono::milliseconds look_every{2};

}  // namespace

job::job(std::filesystem::path program, const reference& of, std::filesystem::path folder,
         std::vector<std::string> environment)
    : program_{std::move(program)},
      of_{of},
      folder_{std::move(folder)},
      environment_{std::move(environment)} {
  std::filesystem::remove_all(folder_);
  std::filesystem::create_directories(folder_);
}

process job::start(const start_options& options) const {
  // Small intervals, frames and caches, so that kills fall into the middle of things.
  std::vector<std::string> command{program_.string(),
                                   "--quiet",
                                   "--input",
                                   of_.input.string(),
                                   "--log",
                                   "lmdb:" + log().string(),
                                   "--state",
                                   state().string(),
                                   "--out",
                                   out().string(),
                                   "--dump-state",
                                   dump().string(),
                                   "--rate",
                                   fmt::format("{}", of_.rate),
                                   "--commit-interval",
                                   "5ms",
                                   "--snapshot-interval",
                                   fmt::format("{}ms", snapshot_interval_.count()),
                                   "--frame-bytes",
                                   "4096",
                                   "--cache-bytes",
                                   "1048576"};
  if (options.fresh) command.emplace_back("--fresh");
  command.insert(command.end(), options.arguments.begin(), options.arguments.end());
  auto environment = environment_;
  environment.push_back("KAPPA_FAILPOINT_COUNTS=" + (folder_ / "counts").string());
  environment.insert(environment.end(), options.environment.begin(), options.environment.end());
  return process{command, environment, folder_ / "output"};
}

int job::run(const start_options& options) {
  auto with_fresh = options;
  with_fresh.fresh = options.fresh || !started_;
  started_ = true;
  auto p = start(with_fresh);
  const auto status = p.wait(longest_run_);
  if (!status) {
    problem(fmt::format("it hung: no end in {} s", longest_run_.count()));
    return -1;
  }
  note_refusal(status);
  return *status;
}

bool job::kill_at(std::string_view point, std::uint64_t n,
                  const std::vector<std::string>& arguments) {
  const auto mark = folder_ / "mark";
  std::filesystem::remove(mark);
  const auto status = run(
      {false,
       {fmt::format("KAPPA_FAILPOINT={}:{}", point, n), "KAPPA_FAILPOINT_MARK=" + mark.string()},
       arguments});
  if (status == -SIGKILL && file_text(mark) == point) {
    killed_at_.push_back(counts().of(point).last_ns);
    return true;
  }
  if (status != 0)
    problem(fmt::format("killed at {}:{}: it ended with {}: {}", point, n, status, said()));
  return false;
}

bool job::hold_at(std::string_view point, std::uint64_t n, std::chrono::nanoseconds wait) {
  const auto mark = folder_ / "mark";
  std::filesystem::remove(mark);
  auto p = start({!std::exchange(started_, true),
                  {fmt::format("KAPPA_FAILPOINT={}:{}", point, n), "KAPPA_FAILPOINT_SIGNAL=0",
                   "KAPPA_FAILPOINT_MARK=" + mark.string()},
                  {}});
  const auto until = now_ns() + std::chrono::nanoseconds{longest_run_}.count();
  while (!p.wait(look_every) && file_text(mark) != point) {
    if (now_ns() < until) continue;
    problem(fmt::format("{}:{} was not reached in {} s", point, n, longest_run_.count()));
    break;
  }
  return kill_after(p, wait);
}

bool job::cut_at(std::uint64_t step) {
  const auto status = run({false, {fmt::format("KAPPA_POWER_CUT={}", step)}, {}});
  if (status == -SIGKILL) {
    killed_at_.push_back(now_ns());
    return true;
  }
  if (status != 0)
    problem(fmt::format("cut at step {}: it ended with {}: {}", step, status, said()));
  return false;
}

bool job::kill_after(std::chrono::nanoseconds wait) {
  auto p = start({!std::exchange(started_, true), {}, {}});
  return kill_after(p, wait);
}

bool job::kill_after_first_t1(std::chrono::nanoseconds wait) {
  const auto before = counts().t1();
  auto p = start({!std::exchange(started_, true), {}, {}});
  const auto until = now_ns() + std::chrono::nanoseconds{longest_run_}.count();
  while (!p.wait(look_every) && counts().t1() == before && now_ns() < until) {
  }
  return kill_after(p, wait);
}

bool job::kill_after(process& p, std::chrono::nanoseconds wait) {
  auto status = p.wait(std::chrono::duration_cast<std::chrono::milliseconds>(wait));
  if (!status) {
    p.signal(SIGKILL);
    const auto at = now_ns();
    status = p.wait(longest_run_);
    if (status == -SIGKILL) {
      killed_at_.push_back(at);
      return true;
    }
  }
  note_refusal(status);
  if (status != 0)
    problem(fmt::format("to be killed after a time: it ended with {}: {}", status.value_or(-1),
                        said()));
  return false;
}

void job::finish() {
  const auto status = run();
  if (status != 0) {
    problem(fmt::format("the last run ended with {}: {}", status, said()));
    return;
  }
  check();
}

void job::remove_results() const {
  std::filesystem::remove_all(state());
  std::filesystem::remove_all(out());
  std::filesystem::remove(dump());
}

void job::check() {
  found_ = differences(of_, *this);
  for (const auto& d : found_) problem(d);
}

void job::note_refusal(std::optional<int> status) {
  if (status == refused && refusal_.empty()) refusal_ = said();
}

void job::problem(std::string what) { problems_.push_back(std::move(what)); }

int job::kills_in_the_middle() const {
  const auto t1 = counts().of("log.after_commit");
  return static_cast<int>(std::count_if(killed_at_.begin(), killed_at_.end(), [&](std::int64_t at) {
    return t1.first_ns != 0 && at >= t1.first_ns && at <= t1.last_ns;
  }));
}

bool job::counts_as_trial() const {
  const auto c = counts();
  return kills() > 0 && c.t1() >= least_t1 && c.t2() >= least_t2;
}

}  // namespace kappa::crash
