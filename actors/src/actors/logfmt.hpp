// A line of the log as logfmt: name="value" pairs that every logfmt reader takes apart again.
//
// Threading: plain functions.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

#include "kappa/core/logger.hpp"

namespace kappa::detail {

/// Longest text of a value; what is over it is cut, and the whole size said.
inline constexpr std::size_t most_logfmt_bytes = 500;

/// In quotes, escaped as a JSON string is: \" \\ \n \r \t \u00XX; what is not UTF-8 is U+FFFD.
[[nodiscard]] std::string logfmt_quoted(std::string_view text);

/// msg="…" and the fields.
[[nodiscard]] std::string logfmt_line(std::string_view what,
                                      const std::initializer_list<log_field>& fields);

}  // namespace kappa::detail
