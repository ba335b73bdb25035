#include "actors/progress_line.hpp"

#include <algorithm>
#include <cstdio>

#include <unistd.h>

#include <fmt/format.h>

namespace kappa::detail {

namespace {

struct sums {
  std::uint64_t rows = 0;
  std::uint64_t left = 0;  // bytes of the sources; without sources: records
  std::uint64_t lag = 0;   // records
  std::uint64_t replayed = 0;
  std::uint64_t to_replay = 0;
};

sums sum(const std::vector<task_status>& tasks) {
  sums s;
  const bool sources =
      std::any_of(tasks.begin(), tasks.end(), [](const task_status& t) { return t.source; });
  for (const auto& t : tasks) {
    if (t.source == sources) {
      s.rows += t.progress.records_in;
      s.left += t.progress.lag;
    }
    if (t.source) continue;
    s.lag += t.progress.lag;
    s.replayed += t.progress.replayed;
    s.to_replay += t.progress.replay_total;
  }
  return s;
}

}  // namespace

progress_line::progress_line(bool on) : on_{on}, terminal_{::isatty(STDERR_FILENO) == 1} {}

void progress_line::work_begins(const std::vector<task_status>& at_start) {
  most_left_ = sum(at_start).left;
  most_left_at_ = shown_ = std::chrono::steady_clock::now();
}

void progress_line::show_now_and_then(const std::function<std::vector<task_status>()>& status) {
  const auto every = terminal_ ? std::chrono::milliseconds{250} : std::chrono::milliseconds{2000};
  if (!on_ || std::chrono::steady_clock::now() - shown_ < every) return;
  show(status());
}

void progress_line::show(const std::vector<task_status>& tasks) {
  if (!on_) return;
  shown_ = std::chrono::steady_clock::now();
  const auto s = sum(tasks);
  const std::chrono::duration<double> elapsed = shown_ - started_;
  const auto rate = elapsed.count() > 0 ? static_cast<double>(s.rows) / elapsed.count() : 0;
  auto line = fmt::format("{:>11} rows  {:>9.0f} rows/s  lag {:>8}", s.rows, rate, s.lag);
  if (s.to_replay > 0) line += fmt::format("  replayed {}/{}", s.replayed, s.to_replay);
  if (s.left >= most_left_) {
    most_left_ = s.left;
    most_left_at_ = shown_;
  }
  const std::chrono::duration<double> worked = shown_ - most_left_at_;
  if (s.left > 0 && worked.count() > 0.5) {
    const auto done = static_cast<double>(most_left_ - s.left);
    line += fmt::format("  ETA {:.0f} s", worked.count() / done * static_cast<double>(s.left));
  }
  if (terminal_) {
    fmt::print(stderr, "\r{:<78}", line);
    open_line_ = true;
  } else {
    fmt::print(stderr, "{}\n", line);
  }
  std::fflush(stderr);
}

void progress_line::end() {
  if (open_line_) fmt::print(stderr, "\n");
  open_line_ = false;
}

}  // namespace kappa::detail
