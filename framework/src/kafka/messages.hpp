// Records between librdkafka's form and ours.
//
// Threading: plain functions.
#pragma once

#include <memory>
#include <span>

#include "kafka/client.hpp"
#include "kappa/log/record.hpp"
#include "log/buffer_pool.hpp"

namespace kappa::kafka {

/// The time of a record that Kafka cannot carry as one, milliseconds, little-endian i64.
inline constexpr bytes_view time_header = "kappa.time";

using message = std::unique_ptr<rd_kafka_message_t, destroyer<rd_kafka_message_destroy>>;

/// A message that has come, or an error in its place.
struct incoming {
  explicit incoming(message m);

  message of;
  const rd_kafka_headers_t* headers = nullptr;  // null: none
  std::size_t header_bytes = 0;                 // in our form
  std::size_t bytes = 0;                        // of all of it, likewise
};

/// The messages (at least one, in offset order, none an error) as one batch; `next` is where to
/// read on. errc::too_large: one cannot be had in our form.
[[nodiscard]] result<read_batch> to_batch(std::span<const incoming* const> messages,
                                          detail::buffer_pool& buffers, offset from, offset next);

/// Hands the record to the producer without a copy of its value, which must live until it was
/// delivered; `opaque` is told with its delivery. Gives librdkafka's own code: _QUEUE_FULL means
/// try again.
[[nodiscard]] rd_kafka_resp_err_t produce(rd_kafka_t* producer, rd_kafka_topic_t* to,
                                          std::int32_t partition, const record_view& r,
                                          void* opaque);

/// Where the brokers put the message that this delivery report is about. errc::indefinite: the
/// client says "delivered", but nobody said where. librdkafka concludes so for a batch whose answer
/// was an error once a later batch of the partition was taken; but a partition that knows nothing
/// of a producer (a new one, which its broker did not know a moment ago) takes any sequence first,
/// and then the earlier batch is nowhere.
[[nodiscard]] result<offset> delivered_at(const client& of, const rd_kafka_message_t& m);

}  // namespace kappa::kafka
