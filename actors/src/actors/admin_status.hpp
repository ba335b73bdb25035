// How an app is, as operators see it: the one form that admin replies and HTTP show.
//
// Threading: plain functions.
#pragma once

#include <string>

#include "kappa/actors/host.hpp"
#include "kappa/admin.kappa.hpp"

namespace kappa::detail {

[[nodiscard]] admin::problem problem_of(const error& e);

/// `only`: that stage; empty: all. errc::not_found names the stages.
[[nodiscard]] result<admin::status> describe(host& h, const std::string& only);

}  // namespace kappa::detail
