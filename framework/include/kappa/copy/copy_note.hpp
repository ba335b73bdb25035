// What a log says of an app that was, or is being, copied into it: a position of the app, so that
// it is set in one transaction with the others.
//
// Threading: plain functions; those that take a log block.
#pragma once

#include <optional>
#include <string>

#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa {

struct copy_note {
  bool complete = false;
  std::string log_id;  // of the log it came from
  std::string log;     // its name, for people: "lmdb:data"
  friend bool operator==(const copy_note&, const copy_note&) = default;
};

[[nodiscard]] position_key copy_note_key(const std::string& app);
[[nodiscard]] log_transaction::move to_move(const std::string& app, const copy_note& note);
/// errc::corrupt: it is malformed.
[[nodiscard]] result<std::optional<copy_note>> find_copy_note(event_log& log,
                                                              const std::string& app);

/// errc::refused_start, with the mend, while a copy of the app into this log is not complete.
[[nodiscard]] result<void> check_copy_complete(event_log& log, const std::string& app);

}  // namespace kappa
