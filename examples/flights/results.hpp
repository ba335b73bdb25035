// The job's two CSV files, written from the topics' first record.
#pragma once

#include <filesystem>

#include "kappa/kappa.hpp"

namespace flights {

struct written {
  std::size_t hours = 0;
  std::size_t alerts = 0;
};

/// `folder`/hourly-delays.csv and delay-alerts.csv, ordered by origin and hour; each as
/// write_whole_file does.
[[nodiscard]] kappa::result<written> write_results(kappa::event_log& log,
                                                   const std::filesystem::path& folder);

/// What is not in the results: `folder`/late-rows.csv (the late rows, in the input's columns) and
/// dead-letters.txt (numbers of the rows of the input that were refused).
[[nodiscard]] kappa::result<void> write_rejects(kappa::event_log& log,
                                                const std::string& dead_letters,
                                                const std::filesystem::path& folder);

}  // namespace flights
