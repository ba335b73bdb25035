// The engine's side: apps as a user writes them.
//
// Threading: plain functions.
#pragma once

#include <string>

#include "kappa/stream/app.hpp"

namespace bench {

/// Copies 1 % of the events of `from` to `to`.
[[nodiscard]] kappa::app filter_app(const std::string& name, const std::string& from,
                                    const std::string& to);
[[nodiscard]] kappa::app pass_app(const std::string& name, const std::string& from,
                                  const std::string& to);
/// Counts events per customer; each new count goes to `to`, unless that is empty.
[[nodiscard]] kappa::app count_app(const std::string& name, const std::string& from,
                                   const std::string& to);
/// Keeps each customer's last event, and passes it on to `to`.
[[nodiscard]] kappa::app latest_app(const std::string& name, const std::string& from,
                                    const std::string& to);

}  // namespace bench
