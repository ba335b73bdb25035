// What the topics and states of an app hold, for those who look at them without the app: one record
// for each in the topic `<app>.schemas`, which the host brings up to date at its start.
//
// The record's key is the name, its value:
//   u8 version, u8 1 when windowed, u8 1 when the key's schema follows
//   key schema, value schema: name, u64 id, u64 fingerprint, description
// The newest record of a name counts. A newer version of a type reads what older ones wrote.
//
// Threading: plain functions; those that take a log block.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/schema_info.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/stream/topology.hpp"
#include "kappa/task/commit_lane.hpp"

namespace kappa {

struct stored_schema {
  std::string name;                // the topic's, or state_name_of
  std::optional<schema_info> key;  // nothing: the app does not make the keys
  schema_info value;
  bool windowed = false;  // a state whose keys are window_state_key(key, start)
};

/// "state/hourly-delays.g1": no topic has a name with '/'.
[[nodiscard]] std::string state_name_of(const std::string& stage, generation g);

/// "accounts/bank.capnp:Withdrawn": of an event of the aggregate whose topic this is, or of a
/// command in its topic of commands.
[[nodiscard]] std::string name_of_type_in(const std::string& topic, const std::string& type);

/// Of all topics that the app writes, that it reads from outside, and of its states.
[[nodiscard]] std::vector<stored_schema> schemas_of(const topology& t);

[[nodiscard]] bytes encode_stored_schema(const stored_schema& s);
/// `name`: the record's key. Nothing when it is malformed.
[[nodiscard]] std::optional<stored_schema> decode_stored_schema(bytes_view name, bytes_view in);

/// The newest of each name; none when the app has not written any. Records that cannot be read are
/// passed over: a newer Kappa wrote them.
[[nodiscard]] result<std::map<std::string, stored_schema>> read_schemas(event_log& log,
                                                                        const std::string& app);

/// All that the app has ever written, from the oldest on, so that a name may come again.
[[nodiscard]] result<std::vector<stored_schema>> read_schema_history(event_log& log,
                                                                     const std::string& app);

/// Makes the topic, and appends to it what is new, through the app's writer.
[[nodiscard]] result<void> publish_schemas(const topology& t, event_log& log, commit_lane& lane,
                                           timestamp now);

}  // namespace kappa
