// Whether this version of an app can read what others wrote for its aggregates. They may have had
// events that it does not know, because it is older, or schemas that do not fit to its own.
//
// The schemas that the log keeps (stored_schemas.hpp) tell whether there may be such records. Only
// then the topics are read, for the first of them.
//
// Threading: a plain function; it blocks, and writes nothing.
#pragma once

#include <string_view>

#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/stream/topology.hpp"

namespace kappa {

/// What is said of an event whose type a version does not know, behind which.
inline constexpr std::string_view mend_of_unknown_event =
    "run the version that wrote it or a newer one, or give this one the type, as an event or as a "
    "$Kappa.formerEvent with an upcast";

/// Of all events, and of commands that are not yet decided. errc::refused_start names the first
/// record that cannot be read, its type, why not, and the mend.
[[nodiscard]] result<void> check_history_readable(const topology& t, event_log& log);

}  // namespace kappa
