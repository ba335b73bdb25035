// A command that an aggregate sends to another one of its app, or to itself, as part of a decision,
// or that a stream sends: it is in the log with what else follows (a decision's events, a stream's
// outputs and position), or not at all, and is decided once.
//
// Threading: plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "kappa/core/bytes.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/log/envelope.hpp"

namespace kappa {

struct send_options {
  /// Told again with the result, so that the sender knows which of its commands it is of; at most
  /// max_about_bytes (command_record.hpp). Of a stream's nothing: it is told no results.
  std::string about{};
  /// Its name in the app; needed only where several aggregates take the command.
  std::string aggregate{};
};

struct outgoing_command {
  bytes key;  // encoded
  std::uint64_t key_fingerprint = 0;
  const schema_reference* type = nullptr;  // lives as long as the program
  bytes body;                              // encoded
  send_options options;
};

template <encodable K, encodable C>
[[nodiscard]] outgoing_command make_outgoing(const K& key, const C& command, send_options options) {
  static const auto keys = codec<K>::schema().fingerprint;
  static const auto type = reference_to(codec<C>::schema());
  return {encoded(key), keys, &type, encoded(command), std::move(options)};
}

/// To the aggregate of this key whose protocol has the command: what `stream::send` takes.
template <encodable K, encodable C>
[[nodiscard]] outgoing_command command_to(const K& key, const C& command,
                                          send_options options = {}) {
  return make_outgoing(key, command, std::move(options));
}
template <encodable C>
[[nodiscard]] outgoing_command command_to(const char* key, const C& command,
                                          send_options options = {}) {
  return make_outgoing(std::string{key}, command, std::move(options));
}

}  // namespace kappa
