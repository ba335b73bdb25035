// What the embedded log keeps in its LMDB environment, and how.
//
//   log.meta        "format", "id"
//   log.topics      topic name → number, settings
//   log.partitions  partition number → first and next offset, size, latest time (they outlive the
//                   frames)
//   log.times       partition number, time → frame: all records before that frame have at most that
//                   time. Sparse: one entry for about a MiB of records
//   log.positions   app, stage, generation, task, input → next offset, metadata
//   log.producers   partition number, producer id → last sequence and its offset
//   log.apps        app → term of its writer, who took it
//   f/T/P           frames of partition P of topic number T: first offset → frame
//
// All values but frames (which carry their own) begin with a checksum of the rest, seeded by their
// database and key: a value in another place is no value.
//
// Threading: plain functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kappa/core/bytes.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa::detail {

inline constexpr std::uint32_t embedded_format = 2;
/// Bytes of frames between two entries of the time index.
inline constexpr std::uint64_t time_index_bytes = 1 << 20;
/// Frames that one transaction of retention removes at most, so that writers wait only shortly.
inline constexpr std::size_t retention_frames = 256;
/// Named databases of one environment: bounds the partitions of all topics together.
inline constexpr unsigned embedded_max_dbs = 16384;

/// Topic number and partition in one.
using partition_id = std::uint64_t;
[[nodiscard]] constexpr partition_id make_partition_id(std::uint32_t topic, partition p) {
  return (std::uint64_t{topic} << 32) | static_cast<std::uint32_t>(p.value);
}

/// The databases but those of the frames.
namespace table {
inline constexpr const char* meta = "log.meta";
inline constexpr const char* topics = "log.topics";
inline constexpr const char* partitions = "log.partitions";
inline constexpr const char* times = "log.times";
inline constexpr const char* positions = "log.positions";
inline constexpr const char* producers = "log.producers";
inline constexpr const char* apps = "log.apps";
}  // namespace table

/// Keys of table::meta.
inline constexpr bytes_view format_key = "format";
inline constexpr bytes_view id_key = "id";

[[nodiscard]] bytes seal(bytes_view table, bytes_view key, bytes_view content);
/// Nothing when the checksum is wrong.
[[nodiscard]] std::optional<bytes_view> unseal(bytes_view table, bytes_view key, bytes_view stored);

[[nodiscard]] std::string frames_name(std::uint32_t topic, partition p);
[[nodiscard]] bytes offset_key(offset at);
[[nodiscard]] bytes partition_key(partition_id id);
[[nodiscard]] bytes time_key(partition_id id, timestamp t);
[[nodiscard]] bytes producer_key(partition_id id, const std::string& producer);

struct stored_topic {
  std::uint32_t number = 0;
  topic_config config;
};
/// Values are encoded and decoded together with their key, which their checksum covers. Decoding
/// gives nothing when the value is damaged or in another place.
[[nodiscard]] bytes encode(const stored_topic& topic);
[[nodiscard]] std::optional<stored_topic> decode_topic(const std::string& name, bytes_view stored);
/// Without the checksum: what the settings seem to have been. For repair only.
[[nodiscard]] std::optional<stored_topic> guess_topic(const std::string& name, bytes_view stored);

struct partition_meta {
  offset earliest;
  offset latest;
  timestamp max_time = kappa::min_time;  // of all records ever
  std::uint64_t size_bytes = 0;          // of the frames that are there
  std::uint64_t since_index_bytes = 0;   // appended since the last entry of the time index
};
[[nodiscard]] bytes encode(bytes_view key, const partition_meta& meta);
[[nodiscard]] std::optional<partition_meta> decode_partition(bytes_view key, bytes_view stored);

[[nodiscard]] bytes encode(bytes_view key, const committed_position& position);
[[nodiscard]] std::optional<committed_position> decode_position(bytes_view key, bytes_view stored);

struct stored_producer {
  std::uint64_t sequence = 0;
  offset base;
};
[[nodiscard]] bytes encode(bytes_view key, const stored_producer& producer);
[[nodiscard]] std::optional<stored_producer> decode_producer(bytes_view key, bytes_view stored);

struct stored_app {
  writer_term term;
  std::string instance;
};
[[nodiscard]] bytes encode(bytes_view key, const stored_app& app);
[[nodiscard]] std::optional<stored_app> decode_app(bytes_view key, bytes_view stored);

/// An entry of the time index: the first offset of a frame.
[[nodiscard]] bytes encode_time(bytes_view key, offset first);
[[nodiscard]] std::optional<offset> decode_time(bytes_view key, bytes_view stored);

/// A random UUID, for the id of a new log.
[[nodiscard]] std::string make_uuid();

}  // namespace kappa::detail
