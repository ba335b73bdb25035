#include "state/stored_form.hpp"

#include <cstring>

#include "kappa/state/state_store.hpp"

namespace kappa::detail {

void store_key(bytes_view key, bytes& out) {
  if (key.size() <= state_store::max_ordered_key_bytes) {
    out.assign(1, short_key_tag);
    out.append(key);
  } else {
    store_long_key(checksum128(key), out);
  }
}

void store_long_key(hash128 hash, bytes& out) {
  out.assign(1, long_key_tag);
  byte_writer{out}.put(hash.high).put(hash.low);
}

std::uint64_t table_seed(bytes_view table_name) { return checksum(table_name, 0x6b61707061); }

std::uint64_t value_checksum(std::uint64_t seed, bytes_view key, bytes_view value) {
  return checksum(value, checksum(key, seed));
}

void store_value(std::uint64_t seed, bytes_view key, bytes_view value, bytes& out) {
  out.clear();
  byte_writer{out}.put(value_checksum(seed, key, value)).put_raw(value);
}

std::optional<bytes_view> read_value(std::uint64_t seed, bytes_view key, bytes_view stored) {
  byte_reader in{stored};
  const auto sum = in.get<std::uint64_t>();
  if (!in.ok() || sum != value_checksum(seed, key, in.rest())) return std::nullopt;
  return in.rest();
}

std::optional<long_item> take_item(bytes_view& list) {
  byte_reader in{list};
  const auto key_size = in.get<std::uint32_t>();
  const auto value_size = in.get<std::uint32_t>();
  long_item item;
  item.checksum = in.get<std::uint64_t>();
  item.key = in.get_raw(key_size);
  item.value = in.get_raw(value_size);
  if (!in.ok()) return std::nullopt;
  list = in.rest();
  return item;
}

item_search find_item(std::uint64_t seed, bytes_view list, bytes_view key, bytes_view& value) {
  while (!list.empty()) {
    const auto item = take_item(list);
    if (!item) return item_search::damaged;
    if (item->key != key) continue;
    if (item->checksum != value_checksum(seed, key, item->value)) return item_search::damaged;
    value = item->value;
    return item_search::found;
  }
  return item_search::absent;
}

namespace {

void append_item(bytes_view key, bytes_view value, std::uint64_t checksum, bytes& out) {
  byte_writer{out}
      .put(static_cast<std::uint32_t>(key.size()))
      .put(static_cast<std::uint32_t>(value.size()))
      .put(checksum)
      .put_raw(key)
      .put_raw(value);
}

}  // namespace

bool change_item(std::uint64_t seed, bytes_view list, bytes_view key,
                 std::optional<bytes_view> value, bytes& out) {
  out.clear();
  while (!list.empty()) {
    const auto item = take_item(list);
    if (!item) return false;
    if (item->key != key) append_item(item->key, item->value, item->checksum, out);
  }
  if (value) append_item(key, *value, value_checksum(seed, key, *value), out);
  return true;
}

}  // namespace kappa::detail
