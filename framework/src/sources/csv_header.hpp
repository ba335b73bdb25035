// The header line of a CSV file against the columns that are expected.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kappa/core/error.hpp"
#include "kappa/source/csv_row.hpp"

namespace kappa::detail {

/// errc::bad_config names the expected columns, those found, and the nearest mend.
[[nodiscard]] result<void> check_csv_header(const std::string& path, const csv_format& format,
                                            bytes_view line);

/// Of `names` the one with the fewest edits from `word`, case counting half; empty when none.
[[nodiscard]] std::string_view nearest(std::string_view word,
                                       const std::vector<std::string>& names);

}  // namespace kappa::detail
