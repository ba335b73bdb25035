// What an app's aggregates take and give over HTTP, as OpenAPI 3.1, made from their schemas.
//
// Threading: pure.
#pragma once

#include <string>

#include "kappa/stream/topology.hpp"

namespace kappa::detail {

/// A document as JSON. `with_token`: requests need one.
[[nodiscard]] std::string openapi_of(const topology& of, bool with_token);

}  // namespace kappa::detail
