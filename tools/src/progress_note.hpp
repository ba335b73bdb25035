// What a long command is looking at, on one line of standard error that is written over and over.
// Nothing where standard error is no terminal.
//
// Threading: one thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace kappa::tools {

class progress_note {
 public:
  explicit progress_note(std::string_view verb);
  ~progress_note() { clear(); }
  progress_note(const progress_note&) = delete;
  progress_note& operator=(const progress_note&) = delete;

  void show(std::string_view subject);
  /// Before anything else is written.
  void clear();

 private:
  std::string verb_;
  bool terminal_ = false;
  bool shown_ = false;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace kappa::tools
