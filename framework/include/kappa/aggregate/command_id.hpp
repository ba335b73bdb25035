// The name that a client gives a command, so that the same command asked again is recognized.
//
// Any text of 1 … 128 bytes will do. One made by `new_command_id` carries the time at which it was
// made: when it is older than what is remembered the command is refused (errc::too_old), where any
// other id would be taken for a new one.
//
// Threading: any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/time.hpp"

namespace kappa {

inline constexpr std::size_t max_command_id_bytes = 128;

/// A UUID of version 7 (RFC 9562) as text: the time in ms, and 74 bits of the system's randomness.
/// Make one before the first try, and keep it with what you are about to do.
[[nodiscard]] std::string new_command_id(timestamp now = system_now());

/// When the id was made, if it is a UUID of version 7 in its text form.
[[nodiscard]] std::optional<timestamp> time_of_command_id(bytes_view id);

/// errc::invalid_argument: it is empty, or longer than max_command_id_bytes.
[[nodiscard]] result<void> check_command_id(bytes_view id);

/// Of a command that follows from something: the same whenever that is the same. Without time.
[[nodiscard]] bytes derived_command_id(bytes_view cause);

}  // namespace kappa
