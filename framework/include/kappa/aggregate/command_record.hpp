// Commands and their replies on their way through the log.
//
// A command is a record of `<app>.<aggregate>.commands`, which anybody may write: key the
// aggregate's, value the encoded command, and headers:
//
//   kappa.schema             which command it is (envelope.hpp)
//   kappa.id                 the command's id (command_id.hpp), if it has one
//   kappa.expected-version   in decimal: only if the aggregate is at this version
//   kappa.reply-to           in decimal: the partition of `<app>.replies` for the reply; without
//                            it nobody is told
//   kappa.correlation        what the reply is to have as its key, at most 256 bytes
//   kappa.result-to          the aggregate of the app that sent it, which is to decide what it came
//                            to (command_result.hpp), in a record of that one's commands topic
//   kappa.result-key         the sender's key
//   kappa.about              what the sender says of it, at most 256 bytes
//
// Threading: plain values and functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kappa/aggregate/command.hpp"
#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/strong.hpp"
#include "kappa/log/envelope.hpp"
#include "kappa/log/record.hpp"

namespace kappa {

inline constexpr std::size_t max_correlation_bytes = 256;
inline constexpr std::size_t max_about_bytes = 256;

struct reply_address {
  partition to;
  bytes correlation;
  friend bool operator==(const reply_address&, const reply_address&) = default;
};

struct result_address {
  std::string aggregate;
  bytes key;
  std::string about;
  friend bool operator==(const result_address&, const result_address&) = default;
};

/// What the headers of a command say.
struct command_headers {
  schema_reference type;
  std::optional<bytes> id{};
  std::optional<std::uint64_t> expected{};
  std::optional<reply_address> reply_to{};
  std::optional<result_address> result_to{};
  friend bool operator==(const command_headers&, const command_headers&) = default;
};

/// Appends them in wire form.
void encode_command_headers(const command_headers& h, bytes& out);
/// errc::decode names the header that is missing or malformed.
[[nodiscard]] result<command_headers> decode_command_headers(const headers_view& headers);

/// Whom to tell, as far as it can be read: also of a command that cannot.
[[nodiscard]] std::optional<reply_address> reply_address_in(const headers_view& headers);
[[nodiscard]] std::optional<result_address> result_address_in(const headers_view& headers);

/// Value of a reply: of what is remembered as encode_outcome (remembered.hpp); else appends
///
///   u8 2, u64 expected, u64 actual                                              a conflict
///   u8 3, u16 code, u8 retriable, u32 size and text of the subject, message     an error
void encode_reply(const command_outcome& o, bytes& out);
/// A receipt has no position: `next` is -1. errc::decode.
[[nodiscard]] result<command_outcome> decode_reply(bytes_view in);

}  // namespace kappa
