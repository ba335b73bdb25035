// The embedded log's small tables, read out of a file's pages and verified value by value: what
// check and salvage know of a log besides its frames.
//
// Threading: plain values and functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kappa/core/damage.hpp"
#include "kappa/log/event_log.hpp"
#include "lmdb/file_snapshot.hpp"
#include "log/embedded_layout.hpp"

namespace kappa::detail {

struct log_tables {
  std::optional<std::uint32_t> format;
  std::string id;
  std::map<std::string, stored_topic> topics;
  std::map<partition_id, partition_meta> partitions;
  std::map<partition_id, std::map<timestamp, offset>> times;
  std::map<position_key, committed_position> positions;
  std::map<std::pair<partition_id, std::string>, stored_producer> producers;
  std::map<std::string, stored_app> apps;
  /// Of topics whose settings have a wrong checksum: name → as stored.
  std::map<std::string, bytes> doubtful_topics;
  /// Other entries that are damaged: table, key.
  std::vector<std::pair<std::string, bytes>> bad_entries;

  /// Takes an entry of `table`; false when it is not a sound one. Of two for one key, which only
  /// damage brings about, the later of what only grows is kept.
  bool take(std::string_view table, bytes_view key, bytes_view stored);
  /// The table that an entry belongs to by its checksum; null: none.
  [[nodiscard]] static const char* table_of(bytes_view key, bytes_view stored);
  /// It has a sound entry of `table` with that key.
  [[nodiscard]] bool has(std::string_view table, bytes_view key) const;
  /// "orders[3]", or the number where the topic is not known.
  [[nodiscard]] std::string name_of(partition_id id) const;
  /// Names an entry of `table` for messages.
  [[nodiscard]] std::string subject(std::string_view table, bytes_view key) const;
};

/// Reads all tables that the snapshot has. What is wrong is added to `damages`.
[[nodiscard]] log_tables read_tables(lmdb::file_snapshot& snapshot, std::vector<damage>& damages);

/// Reads one partition's bounds alone.
[[nodiscard]] std::optional<partition_meta> read_partition(lmdb::file_snapshot& snapshot,
                                                           partition_id id);

/// Topic and partition of a tree of frames, "f/T/P".
[[nodiscard]] std::optional<partition_id> parse_frames_name(std::string_view name);

/// Topics that there were and that are not among a log's settings.
struct lost_topics {
  /// Number → how many partitions their databases and bounds tell of; 0: nothing is left of them.
  std::map<std::uint32_t, std::int32_t> numbers;
  /// How many more there were, of which not even the number is known.
  std::uint64_t more = 0;
};
/// Of `more`, for people.
[[nodiscard]] std::string text_of_more(const lost_topics& lost);
/// Topics are numbered one after the other, and never removed.
[[nodiscard]] lost_topics find_lost_topics(const log_tables& tables,
                                           const lmdb::file_snapshot& snapshot);

/// The offsets that a fault in a tree of frames touches.
[[nodiscard]] offset_range range_of(const lmdb::tree_fault& fault, const topic_partition& where);

}  // namespace kappa::detail
