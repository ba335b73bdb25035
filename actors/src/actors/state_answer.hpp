// What is kept under a key, for those who ask in words: HTTP and admin messages.
//
// Threading: any thread; blocks until the task answers.
#pragma once

#include <optional>
#include <string>

#include "kappa/actors/host.hpp"
#include "kappa/admin.kappa.hpp"

namespace kappa::detail {

struct state_question {
  std::string stage;
  std::string key;                    // as text
  std::optional<std::string> window;  // its start, as text; none: all windows
  /// As text, "accounts/ann": the answer shows the events of this aggregate that are in the log by
  /// now (query_options::at_least).
  std::optional<std::string> after;
  query_options options;
};

/// Values as JSON. No entries: no state under the key. errc::not_found: no such stage;
/// errc::invalid_argument: it keeps no state, key or window.
[[nodiscard]] result<admin::found> answer_state(host& h, const state_question& q);

}  // namespace kappa::detail
