#include "actors/progress_line.hpp"

#include <cstdio>

#include <unistd.h>

#include <fmt/format.h>

namespace kappa::detail {

progress_line::progress_line(bool on) : on_{on}, terminal_{::isatty(STDERR_FILENO) == 1} {}

void progress_line::show_now_and_then(const std::function<std::vector<task_status>()>& status) {
  const auto every = terminal_ ? std::chrono::milliseconds{250} : std::chrono::milliseconds{2000};
  if (!on_ || std::chrono::steady_clock::now() - shown_ < every) return;
  show(status());
}

void progress_line::show(const std::vector<task_status>& tasks) {
  if (!on_) return;
  shown_ = std::chrono::steady_clock::now();
  std::uint64_t rows = 0;
  std::uint64_t bytes_left = 0;
  std::uint64_t lag = 0;
  std::uint64_t replayed = 0;
  std::uint64_t to_replay = 0;
  bool sources = false;
  for (const auto& t : tasks) {
    sources = sources || t.source;
    if (t.source) {
      bytes_left += t.progress.lag;
    } else {
      lag += t.progress.lag;
      replayed += t.progress.replayed;
      to_replay += t.progress.replay_total;
    }
  }
  for (const auto& t : tasks) {
    if (t.source == sources) rows += t.progress.records_in;
  }
  const std::chrono::duration<double> elapsed = shown_ - started_;
  const auto rate = elapsed.count() > 0 ? static_cast<double>(rows) / elapsed.count() : 0;
  auto line = fmt::format("{:>11} rows  {:>9.0f} rows/s  lag {:>8}", rows, rate, lag);
  if (to_replay > 0) line += fmt::format("  replayed {}/{}", replayed, to_replay);
  const auto left = sources ? bytes_left : lag;
  if (!first_left_ || left > *first_left_) first_left_ = left;
  if (left > 0 && *first_left_ > left && elapsed.count() > 0.5) {
    const auto done = static_cast<double>(*first_left_ - left);
    line += fmt::format("  ETA {:.0f} s", elapsed.count() / done * static_cast<double>(left));
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
