// Base64 (RFC 4648, with padding): how JSON carries bytes.
#pragma once

#include <optional>
#include <string>

#include "kappa/core/bytes.hpp"

namespace kappa {

void append_base64(std::string& out, bytes_view v);
/// Nothing when the text is not base64.
[[nodiscard]] std::optional<bytes> from_base64(std::string_view text);

}  // namespace kappa
