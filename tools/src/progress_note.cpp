#include "progress_note.hpp"

#include <unistd.h>

#include <cstdio>

#include <fmt/format.h>

namespace kappa::tools {

progress_note::progress_note(std::string_view verb)
    : verb_{verb}, terminal_{::isatty(STDERR_FILENO) == 1} {}

void progress_note::show(std::string_view subject) {
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (shown_ && now - last_ < std::chrono::milliseconds{100}) return;
  last_ = now;
  shown_ = true;
  fmt::print(stderr, "\r\x1b[K{} {}", verb_, subject.substr(0, 100));
  std::fflush(stderr);
}

void progress_note::clear() {
  if (!shown_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace kappa::tools
