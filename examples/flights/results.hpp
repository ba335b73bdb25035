// The job's two CSV files, written from the topics' first record.
#pragma once

#include <filesystem>

#include "kappa/kappa.hpp"

namespace flights {

struct written {
  std::size_t hours = 0;
  std::size_t alerts = 0;
};

/// `folder`/hourly-delays.csv and delay-alerts.csv, ordered by origin and hour; each is written to
/// a temporary file that is renamed.
[[nodiscard]] kappa::result<written> write_results(kappa::event_log& log,
                                                   const std::filesystem::path& folder);

}  // namespace flights
