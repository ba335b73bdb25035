#include "log/log_tables.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "kappa/core/parse_number.hpp"
#include "log/log_rules.hpp"

namespace kappa::detail {

namespace {

constexpr const char* all_tables[] = {table::meta,  table::topics,    table::partitions,
                                      table::times, table::positions, table::producers,
                                      table::apps};

std::optional<partition_id> read_partition_key(bytes_view key) {
  if (key.size() < sizeof(partition_id)) return std::nullopt;
  return __builtin_bswap64(lmdb::load<std::uint64_t>(key, 0));
}

template <class Map, class Key, class Value, class Less>
void keep_later(Map& map, Key key, Value value, Less less) {
  const auto [at, fresh] = map.try_emplace(std::move(key), value);
  if (!fresh && less(at->second, value)) at->second = std::move(value);
}

std::string key_range(const lmdb::tree_fault& f) {
  if (f.low.empty() && !f.high) return {};
  return fmt::format(" (keys from '{}' to '{}')", printable(f.low),
                     f.high ? printable(*f.high) : "the end");
}

}  // namespace

bool log_tables::take(std::string_view which, bytes_view key, bytes_view stored) {
  if (which == table::meta) {
    const auto content = unseal(table::meta, key, stored);
    if (!content) return false;
    if (key == id_key) id = std::string{*content};
    if (key == format_key) format = byte_reader{*content}.get<std::uint32_t>();
    return true;
  }
  if (which == table::topics) {
    std::string name{key};
    auto t = decode_topic(name, stored);
    if (!t) return false;
    topics.try_emplace(std::move(name), std::move(*t));
    return true;
  }
  if (which == table::positions) {
    auto k = decode_position_key(key);
    auto v = decode_position(key, stored);
    if (!k || !v) return false;
    keep_later(positions, std::move(*k), std::move(*v),
               [](const auto& a, const auto& b) { return a.next < b.next; });
    return true;
  }
  if (which == table::apps) {
    auto v = decode_app(key, stored);
    if (!v) return false;
    keep_later(apps, std::string{key}, std::move(*v),
               [](const auto& a, const auto& b) { return a.term < b.term; });
    return true;
  }
  const auto id_in_key = read_partition_key(key);
  if (!id_in_key) return false;
  if (which == table::partitions) {
    const auto v = decode_partition(key, stored);
    if (!v) return false;
    keep_later(partitions, *id_in_key, *v, [](const auto& a, const auto& b) {
      return a.latest < b.latest || (a.latest == b.latest && a.earliest < b.earliest);
    });
    return true;
  }
  if (which == table::times) {
    const auto t = read_ordered(key.substr(sizeof(partition_id)));
    const auto v = decode_time(key, stored);
    if (!t || !v) return false;
    times[*id_in_key].try_emplace(timestamp{milliseconds{*t}}, *v);
    return true;
  }
  const auto v = decode_producer(key, stored);
  if (!v) return false;
  keep_later(producers, std::pair{*id_in_key, std::string{key.substr(sizeof(partition_id))}}, *v,
             [](const auto& a, const auto& b) { return a.sequence < b.sequence; });
  return true;
}

const char* log_tables::table_of(bytes_view key, bytes_view stored) {
  const auto* const found =
      std::find_if(std::begin(all_tables), std::end(all_tables),
                   [&](const char* which) { return unseal(which, key, stored).has_value(); });
  return found == std::end(all_tables) ? nullptr : *found;
}

bool log_tables::has(std::string_view which, bytes_view key) const {
  if (which == table::positions) {
    const auto k = decode_position_key(key);
    return k && positions.contains(*k);
  }
  if (which == table::apps) return apps.contains(std::string{key});
  if (which == table::topics) return topics.contains(std::string{key});
  const auto part = read_partition_key(key);
  if (!part) return false;
  if (which == table::partitions) return partitions.contains(*part);
  return which == table::producers &&
         producers.contains({*part, std::string{key.substr(sizeof(partition_id))}});
}

std::string log_tables::name_of(partition_id part) const {
  const auto number = static_cast<std::uint32_t>(part >> 32);
  const auto index = static_cast<std::int32_t>(part & 0xffffffff);
  for (const auto& [name, t] : topics) {
    if (t.number == number) return topic_partition{name, partition{index}}.text();
  }
  return topic_partition{fmt::format("(topic number {})", number), partition{index}}.text();
}

std::string log_tables::subject(std::string_view which, bytes_view key) const {
  if (which == table::meta || which == table::topics) return printable(key);
  if (which == table::apps) return fmt::format("the writer's term of app {}", printable(key));
  if (which == table::positions) {
    const auto k = decode_position_key(key);
    return fmt::format("the position {}", k ? k->text() : printable(key));
  }
  const auto id_in_key = read_partition_key(key);
  if (!id_in_key) return fmt::format("{} {}", which, printable(key));
  auto out = name_of(*id_in_key);
  if (which == table::producers) {
    out += fmt::format(" producer {}", printable(key.substr(sizeof(partition_id))));
  }
  return out;
}

log_tables read_tables(lmdb::file_snapshot& snapshot, std::vector<damage>& damages) {
  log_tables out;
  bytes value;
  for (const auto* const which : all_tables) {
    const auto tree = snapshot.trees().find(which);
    if (tree == snapshot.trees().end()) {
      damages.push_back({which, "the database is missing"});
      continue;
    }
    snapshot.walk(
        tree->second, {},
        [&](const lmdb::tree_entry& e) {
          const bool good = snapshot.read_value(e, value) && out.take(which, e.key, value);
          if (good || e.carved) return true;
          damages.push_back(
              {out.subject(which, e.key), fmt::format("its entry in {} is damaged", which)});
          if (which == table::topics) {
            out.doubtful_topics.emplace(bytes{e.key}, value);
          } else {
            out.bad_entries.emplace_back(which, bytes{e.key});
          }
          return true;
        },
        [&](const lmdb::tree_fault& f) {
          damages.push_back({which, f.what + key_range(f)});
        });
  }
  return out;
}

std::optional<partition_meta> read_partition(lmdb::file_snapshot& snapshot, partition_id id) {
  std::optional<partition_meta> out;
  const auto tree = snapshot.trees().find(table::partitions);
  if (tree == snapshot.trees().end()) return out;
  const auto key = partition_key(id);
  snapshot.walk(
      tree->second, key,
      [&](const lmdb::tree_entry& e) {
        if (e.key == key) out = decode_partition(e.key, e.value);
        return false;
      },
      [](const lmdb::tree_fault&) {});
  return out;
}

std::optional<partition_id> parse_frames_name(std::string_view name) {
  if (!name.starts_with("f/")) return std::nullopt;
  const auto slash = name.find('/', 2);
  if (slash == std::string_view::npos) return std::nullopt;
  std::uint32_t topic = 0;
  std::int32_t part = 0;
  if (!parse_number(name.substr(2, slash - 2), topic) ||
      !parse_number(name.substr(slash + 1), part)) {
    return std::nullopt;
  }
  if (part < 0 || frames_name(topic, partition{part}) != name) return std::nullopt;
  return make_partition_id(topic, partition{part});
}

std::string text_of_more(const lost_topics& lost) {
  return fmt::format("it had {} more topics, of which neither settings nor records are left",
                     lost.more);
}

lost_topics find_lost_topics(const log_tables& tables, const lmdb::file_snapshot& snapshot) {
  lost_topics out;
  const auto note = [&](partition_id id) {
    auto& n = out.numbers[static_cast<std::uint32_t>(id >> 32)];
    n = std::max(n, static_cast<std::int32_t>(id & 0xffffffff) + 1);
  };
  // Only what has a checksum tells how far the numbers go.
  std::uint32_t last = 0;
  for (const auto& [id, meta] : tables.partitions) {
    note(id);
    last = std::max(last, static_cast<std::uint32_t>(id >> 32));
  }
  for (const auto& [name, topic] : tables.topics) last = std::max(last, topic.number);
  for (std::uint32_t n = 1; n <= last; ++n) out.numbers.try_emplace(n, 0);
  for (const auto& [name, tree] : snapshot.trees()) {
    if (const auto id = parse_frames_name(name)) note(*id);
  }
  for (const auto& [name, topic] : tables.topics) out.numbers.erase(topic.number);
  const auto known = tables.topics.size() + out.numbers.size();
  const auto tree = snapshot.trees().find(table::topics);
  if (tree != snapshot.trees().end() && tree->second.entries > known)
    out.more = tree->second.entries - known;
  return out;
}

offset_range range_of(const lmdb::tree_fault& fault, const topic_partition& where) {
  offset_range out{where.topic, where.partition, offset{0}, std::nullopt};
  if (const auto low = read_ordered(fault.low)) out.from = offset{*low};
  // Of one value, the key behind it is its own with a byte more: the range is that frame.
  const bool one = fault.high && fault.high->size() == fault.low.size() + 1;
  if (one) {
    out.to = out.from + 1;
  } else if (fault.high) {
    if (const auto high = read_ordered(*fault.high)) out.to = offset{*high};
  }
  return out;
}

}  // namespace kappa::detail
