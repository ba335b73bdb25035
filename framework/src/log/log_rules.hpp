// The rules that hold on every log: names, limits, who may write where. One place, so that the
// logs cannot differ and the messages are the same.
//
// Threading: plain functions.
#pragma once

#include <optional>
#include <string>

#include "kappa/log/event_log.hpp"

namespace kappa::detail {

/// [a-zA-Z0-9._-]+, at most 249 characters, not "." or "..".
[[nodiscard]] result<void> check_topic(const topic_config& config);
/// errc::already_exists when `wanted` differs from `there` in what is fixed at creation.
[[nodiscard]] result<void> check_same_topic(const topic_config& there, const topic_config& wanted);
/// An app names a lock file and a consumer group: same letters as a topic, at most 100.
[[nodiscard]] result<void> check_app(const std::string& app);
[[nodiscard]] result<void> check_producer(const producer_sequence& sequence);

/// No such topic, or no such partition of it.
[[nodiscard]] result<void> check_partition(const std::optional<topic_config>& topic,
                                           const topic_partition& tp);
/// Size of records; the batch is not empty.
[[nodiscard]] result<void> check_batch(const topic_config& topic, const topic_partition& to,
                                       const record_batch* records);
/// A topic has writers inside one app or writers outside, not both; but commands for an app,
/// `<app>.….commands`, come from outside and from its own aggregates.
[[nodiscard]] bool may_write(const topic_config& topic, const std::string& app);
[[nodiscard]] result<void> check_inside_writer(const topic_config& topic, const std::string& app);
[[nodiscard]] result<void> check_outside_writer(const topic_config& topic);

[[nodiscard]] result<void> check_move(const log_transaction::move& move, const std::string& app);

/// errc::out_of_range unless earliest <= from <= latest.
[[nodiscard]] result<void> check_bounds(const topic_partition& tp, offset from,
                                        const partition_bounds& bounds);

/// A position key as bytes that sort as keys do: app, stage, generation, task, input.
[[nodiscard]] bytes encode_position_key(const position_key& key);
[[nodiscard]] std::optional<position_key> decode_position_key(bytes_view in);
/// What all position keys of an app begin with.
[[nodiscard]] bytes position_prefix(const std::string& app);

[[nodiscard]] tl::unexpected<error> one_process_has_all(const std::string& log);
[[nodiscard]] tl::unexpected<error> fenced(const std::string& app, writer_term mine);
[[nodiscard]] tl::unexpected<error> owned(const std::string& app, const std::string& holder);

}  // namespace kappa::detail
