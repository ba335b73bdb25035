// What a person sees while an app runs: rows, rows/s, lag, time left. One line that renews itself
// on a terminal, a line every two seconds elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "kappa/actors/host.hpp"

namespace kappa::detail {

class progress_line {
 public:
  /// The rows a second are of the time from here, so it is made before the first row is read.
  explicit progress_line(bool on);
  /// All that is to be done is known from here: for the time left.
  void work_begins(const std::vector<task_status>& at_start);
  /// Asks for the status only when it is time to show it.
  void show_now_and_then(const std::function<std::vector<task_status>()>& status);
  void show(const std::vector<task_status>& tasks);
  /// Ends the line.
  void end();

 private:
  bool on_;
  bool terminal_;
  bool open_line_ = false;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point shown_ = started_;
  std::chrono::steady_clock::time_point most_left_at_ = started_;
  std::uint64_t most_left_ = 0;  // of the input, when there was most
};

}  // namespace kappa::detail
