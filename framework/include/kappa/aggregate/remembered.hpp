// What is kept of a command that had an id: so that whoever asks again is answered as the first
// time, and nothing happens twice.
//
// It is in the log with what the command came to, because that is where a new owner learns it: with
// events, in the header `kappa.command` of the first of them; without any (a rejection, or nothing
// to be done), in a record of its own in the aggregate's outcomes topic.
//
// Threading: plain values and functions.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "kappa/aggregate/command.hpp"
#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/time.hpp"
#include "kappa/log/record.hpp"

namespace kappa {

inline constexpr bytes_view command_header_name = "kappa.command";

/// Value of that header:
///
///   i64 decided at (ms), u64 fingerprint, u32 size and bytes of the id, u8 has a reply, reply
struct command_header {
  timestamp decided_at = min_time;
  std::uint64_t fingerprint = 0;
  bytes id;
  std::optional<bytes> reply;  // of what has events; else the record's value has it
  friend bool operator==(const command_header&, const command_header&) = default;
};

/// Replaces `out`.
void encode_command_header(const command_header& h, bytes& out);
/// Into `out`, whose memory is used again. False: the command had no id. errc::decode: it is
/// malformed.
[[nodiscard]] result<bool> decode_command_header(const headers_view& headers, command_header& out);

/// Of what makes two commands the same: type, key, and body.
[[nodiscard]] std::uint64_t command_fingerprint(std::uint64_t type_id, bytes_view key,
                                                bytes_view body);

/// An outcome that is remembered. Others (conflicts, errors) are not: nothing was decided.
using lasting_outcome = std::variant<command_receipt, rejection>;

/// Appends:
///
///   u8 0, u64 version, u32 events, u8 has a reply, reply      accepted
///   u8 1, u32 size and text of the reason, the same of the type, value       rejected
void encode_outcome(const lasting_outcome& o, bytes& out);
/// A receipt without its position. errc::decode.
[[nodiscard]] result<lasting_outcome> decode_outcome(bytes_view in);

}  // namespace kappa
