// The stages of an app that keep state, by name.
//
// Threading: a plain function.
#pragma once

#include <string>

#include "kappa/core/error.hpp"
#include "kappa/stream/topology.hpp"

namespace kappa::detail {

/// errc::not_found: there is no such stage; errc::invalid_argument: it keeps no state. Both list
/// those that do. The topology must outlive what is returned.
[[nodiscard]] result<const stage_spec*> keyed_stage(const topology& t, const std::string& name);

}  // namespace kappa::detail
