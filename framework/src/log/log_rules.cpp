#include "log/log_rules.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace kappa {

std::string position_key::text() const {
  return fmt::format("{}/{}.g{}[{}]<-{}", app, stage, generation, task, input);
}

}  // namespace kappa

namespace kappa::detail {

namespace {

// Below LMDB's limit of 511 bytes a key, and the same on every log so that an app can move.
constexpr std::size_t max_position_key_bytes = 480;
constexpr std::size_t max_app_bytes = 100;
constexpr std::size_t max_producer_bytes = 100;

bool well_named(std::string_view name, std::size_t limit) {
  return !name.empty() && name.size() <= limit && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

std::string writers_of(const topic_config& topic) {
  return topic.owner.empty() ? "is written from outside" : "is written by app " + topic.owner;
}

}  // namespace

result<void> check_app(const std::string& app) {
  if (well_named(app, max_app_bytes)) return {};
  return fail(errc::invalid_argument, printable(app),
              fmt::format("an app's name has 1 to {} of a-z A-Z 0-9 . _ -", max_app_bytes));
}

result<void> check_topic(const topic_config& config) {
  if (!well_named(config.name, log_limits::max_topic_name_bytes)) {
    return fail(errc::invalid_argument, printable(config.name),
                fmt::format("a topic's name has 1 to {} of a-z A-Z 0-9 . _ -",
                            log_limits::max_topic_name_bytes));
  }
  if (config.partitions < 1 || config.partitions > log_limits::max_partitions) {
    return fail(errc::invalid_argument, config.name,
                fmt::format("{} partitions asked for; 1 to {} are possible", config.partitions,
                            log_limits::max_partitions));
  }
  if (config.max_record_bytes < 1 || config.max_record_bytes > log_limits::max_max_record_bytes) {
    return fail(errc::invalid_argument, config.name,
                fmt::format("max_record_bytes is {}; 1 to {} are possible", config.max_record_bytes,
                            log_limits::max_max_record_bytes));
  }
  if (config.retention_time && *config.retention_time <= milliseconds{0}) {
    return fail(errc::invalid_argument, config.name, "retention_time must be above zero");
  }
  if (!config.owner.empty()) {
    if (auto r = check_app(config.owner); !r) return r;
  }
  return {};
}

result<void> check_same_topic(const topic_config& there, const topic_config& wanted) {
  std::string differs;
  const auto note = [&](std::string_view what, const auto& is, const auto& want) {
    if (is == want) return;
    differs +=
        fmt::format("{}{} is {}, asked for is {}", differs.empty() ? "" : "; ", what, is, want);
  };
  note("the number of partitions", there.partitions, wanted.partitions);
  note("the owner", there.owner.empty() ? "nobody" : there.owner,
       wanted.owner.empty() ? "nobody" : wanted.owner);
  note("compaction", there.compacted, wanted.compacted);
  if (differs.empty()) return {};
  return fail(errc::already_exists, there.name, "exists with other settings: " + differs);
}

result<void> check_producer(const producer_sequence& sequence) {
  if (!sequence.producer.empty() && sequence.producer.size() <= max_producer_bytes) return {};
  return fail(errc::invalid_argument, printable(sequence.producer),
              fmt::format("a producer id has 1 to {} bytes", max_producer_bytes));
}

result<void> check_partition(const std::optional<topic_config>& topic, const topic_partition& tp) {
  if (!topic) return fail(errc::not_found, tp.topic, "no such topic; create it first");
  if (tp.partition.value >= 0 && tp.partition.value < topic->partitions) return {};
  return fail(errc::not_found, tp.text(),
              fmt::format("no such partition; the topic has {}", topic->partitions));
}

result<void> check_batch(const topic_config& topic, const topic_partition& to,
                         const record_batch* records) {
  if (records == nullptr || records->empty()) {
    return fail(errc::invalid_argument, to.text(), "an append without records");
  }
  if (records->largest_bytes() > topic.max_record_bytes) {
    return fail(errc::too_large, to.text(),
                fmt::format("a record of {} bytes; the topic's limit is {} (max_record_bytes)",
                            records->largest_bytes(), topic.max_record_bytes));
  }
  return {};
}

bool may_write(const topic_config& topic, const std::string& app) {
  const bool is_commands = topic.name.starts_with(app + ".") && topic.name.ends_with(".commands");
  return topic.owner == app || (topic.owner.empty() && is_commands);
}

result<void> check_inside_writer(const topic_config& topic, const std::string& app) {
  if (may_write(topic, app)) return {};
  return fail(errc::owned, topic.name,
              fmt::format("{}, so app {} cannot: a topic has writers inside one app or writers "
                          "outside, not both",
                          writers_of(topic), app));
}

result<void> check_outside_writer(const topic_config& topic) {
  if (topic.owner.empty()) return {};
  return fail(errc::owned, topic.name,
              fmt::format("{}, so it takes nothing from outside: a topic has writers inside one "
                          "app or writers outside, not both",
                          writers_of(topic)));
}

result<void> check_move(const log_transaction::move& move, const std::string& app) {
  const auto& key = move.key;
  if (key.app != app) {
    return fail(errc::invalid_argument, key.text(), "this writer is of app " + app);
  }
  if (key.stage.empty() || key.input.empty() || key.task.value < 0) {
    return fail(errc::invalid_argument, key.text(), "a position needs stage, task and input");
  }
  if (encode_position_key(key).size() > max_position_key_bytes) {
    return fail(
        errc::too_large, key.text(),
        fmt::format("app, stage and input are together over {} bytes", max_position_key_bytes));
  }
  if (move.value.metadata.size() > log_limits::max_metadata_bytes) {
    return fail(errc::too_large, key.text(),
                fmt::format("metadata of {} bytes; the limit is {}", move.value.metadata.size(),
                            log_limits::max_metadata_bytes));
  }
  return {};
}

result<void> check_bounds(const topic_partition& tp, offset from, const partition_bounds& bounds) {
  if (from >= bounds.earliest && from <= bounds.latest) return {};
  return fail(
      errc::out_of_range, fmt::format("{}@{}", tp.text(), from.value),
      from < bounds.earliest
          ? fmt::format("no longer there: the earliest is {}", bounds.earliest.value)
          : fmt::format("not there yet: the next to be written is {}", bounds.latest.value));
}

bytes position_prefix(const std::string& app) {
  bytes out;
  append_ordered(out, bytes_view{app});
  return out;
}

bytes encode_position_key(const position_key& key) {
  auto out = position_prefix(key.app);
  append_ordered(out, bytes_view{key.stage});
  append_ordered(out, std::int64_t{key.generation.value});
  append_ordered(out, std::int64_t{key.task.value});
  append_ordered(out, bytes_view{key.input});
  return out;
}

std::optional<position_key> decode_position_key(bytes_view in) {
  position_key key;
  auto app = take_ordered_part(in);
  if (!app) return std::nullopt;
  auto stage = take_ordered_part(in);
  if (!stage || in.size() < 16) return std::nullopt;
  key.app = std::move(*app);
  key.stage = std::move(*stage);
  key.generation = kappa::generation{static_cast<std::int32_t>(*read_ordered(in))};
  key.task = partition{static_cast<std::int32_t>(*read_ordered(in.substr(8)))};
  in.remove_prefix(16);
  auto input = take_ordered_part(in);
  if (!input || !in.empty()) return std::nullopt;
  key.input = std::move(*input);
  return key;
}

tl::unexpected<error> one_process_has_all(const std::string& log) {
  return fail(errc::invalid_argument, log, "on this log one process has all tasks of an app");
}

tl::unexpected<error> fenced(const std::string& app, writer_term mine) {
  return fail(errc::fenced, app,
              fmt::format("another writer took the app over; this one is of term {}", mine.value));
}

tl::unexpected<error> owned(const std::string& app, const std::string& holder) {
  return fail(
      errc::owned, app,
      fmt::format("it runs already: {} has it", holder.empty() ? "another writer" : holder));
}

}  // namespace kappa::detail
