// What a command came to that an aggregate has sent: it comes back to the sender as a command of
// its own, if it has
//
//   auto decide(const kappa::command_result& r) const -> kappa::decision<…>;
//
// One that an answer is to follow on is decided in the transaction that has the events, rejections
// and errors included, so that a saga hears of each of its commands exactly once.
//
// Threading: plain values.
#pragma once

#include <string>
#include <variant>

#include "kappa/aggregate/command.hpp"
#include "kappa/core/bytes.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/error.hpp"

namespace kappa {

struct command_result {
  std::string about;  // as the sender said
  bytes to;           // the key that it was sent to, encoded
  /// A receipt without its position (`next` is -1); an error is one of the command's own: it is a
  /// dead letter now.
  command_outcome outcome;

  /// Null: it is something else.
  [[nodiscard]] const command_receipt* accepted() const {
    return std::get_if<command_receipt>(&outcome);
  }
  [[nodiscard]] const rejection* rejected() const { return std::get_if<rejection>(&outcome); }
  [[nodiscard]] const error* failed() const { return std::get_if<error>(&outcome); }
  /// Why it was not accepted, for people; empty: it was.
  [[nodiscard]] std::string why_not() const;
};

/// u32 size and text of `about`, the same of `to`, then encode_reply (command_record.hpp).
template <>
struct codec<command_result> {
  static void encode(const command_result& v, bytes& out);
  [[nodiscard]] static result<command_result> decode(bytes_view in);
  [[nodiscard]] static schema_info schema();
};

}  // namespace kappa
