// How keys and values of a state table look in LMDB.
//
//   short key   01 key                      value   u64 checksum, value
//   long key    02 hash (16 bytes)          value   list of items:
//                                                   u32 key size, u32 value size, u64 checksum,
//                                                   key, value
//
// The tag keeps the empty key possible and the two kinds apart. Keys that share a 128-bit hash
// share a list, so a collision costs time and nothing else. A checksum covers the table's name and
// the full key too: a value that was moved to another place is noticed.
//
// Threading: plain functions.
#pragma once

#include <cstdint>
#include <optional>

#include "kappa/core/bytes.hpp"

namespace kappa::detail {

inline constexpr char short_key_tag = '\x01';
inline constexpr char long_key_tag = '\x02';

/// Replaces `out` by the key in LMDB.
void store_key(bytes_view key, bytes& out);
/// As above for a long key, with a hash of the caller's (tests make them collide).
void store_long_key(hash128 hash, bytes& out);

[[nodiscard]] std::uint64_t table_seed(bytes_view table_name);
[[nodiscard]] std::uint64_t value_checksum(std::uint64_t seed, bytes_view key, bytes_view value);

inline constexpr std::size_t value_head_bytes = 8;

/// Replaces `out` by the stored form of a short key's value.
void store_value(std::uint64_t seed, bytes_view key, bytes_view value, bytes& out);
/// The value of a short key; nothing when it is damaged.
[[nodiscard]] std::optional<bytes_view> read_value(std::uint64_t seed, bytes_view key,
                                                   bytes_view stored);

struct long_item {
  bytes_view key;
  bytes_view value;
  std::uint64_t checksum = 0;
};
/// Takes one item off the front of a list; nothing when the list is malformed.
[[nodiscard]] std::optional<long_item> take_item(bytes_view& list);

enum class item_search { found, absent, damaged };
/// Looks for `key` in a list and checks its value.
[[nodiscard]] item_search find_item(std::uint64_t seed, bytes_view list, bytes_view key,
                                    bytes_view& value);
/// Replaces `out` by the list with `key` set to `value` (nothing: removed). False: malformed.
[[nodiscard]] bool change_item(std::uint64_t seed, bytes_view list, bytes_view key,
                               std::optional<bytes_view> value, bytes& out);

}  // namespace kappa::detail
