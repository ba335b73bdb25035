#include "kappa/task/stored_schemas.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "kappa/log/for_each_record.hpp"
#include "state/state_meta.hpp"

namespace kappa {
namespace {

constexpr std::uint8_t schemas_version = 1;

// Late records are as they were read.
void add_late(const stage_spec& stage, const port_spec& port, std::vector<stored_schema>& to) {
  const auto& first = stage.inputs.front();
  for (const auto& in : stage.inputs) {
    const bool of_events = in.of_aggregate && in.schema.name.empty();  // of many types
    if (in.schema.description != first.schema.description || of_events) return;
  }
  to.push_back({port.topic, first.key_schema, first.schema, false});
}

void add_types(const std::string& topic, const std::optional<schema_info>& key,
               const std::vector<schema_info>& types, std::vector<stored_schema>& to) {
  for (const auto& type : types)
    to.push_back({name_of_type_in(topic, type.name), key, type, false});
}

}  // namespace

std::string state_name_of(const std::string& stage, generation g) {
  return fmt::format("state/{}.g{}", stage, g);
}

std::string name_of_type_in(const std::string& topic, const std::string& type) {
  return topic + "/" + type;
}

std::vector<stored_schema> schemas_of(const topology& t) {
  std::vector<stored_schema> all;
  for (const auto& stage : t.stages()) {
    for (const auto& in : stage.inputs) {
      const bool known = std::any_of(all.begin(), all.end(),
                                     [&](const stored_schema& s) { return s.name == in.topic; });
      // Where stages read a topic as different types the first one's counts, at every start.
      if (!in.internal && !in.of_aggregate && !stage.source && !stage.aggregate && !known)
        all.push_back({in.topic, std::nullopt, in.schema, false});
    }
    for (const auto& port : stage.ports) {
      if (port.kind == port_kind::events) {
        add_types(port.topic, port.key_schema, stage.aggregate->events(), all);
        add_types(port.topic, port.key_schema, stage.aggregate->former_events(), all);
        add_types(stage.commands_topic(), port.key_schema, stage.aggregate->commands(), all);
      } else if (port.kind == port_kind::outcomes) {
        continue;  // Kappa's own form
      } else if (port.kind == port_kind::late) {
        add_late(stage, port, all);
      } else {
        all.push_back({port.topic, port.key_schema, port.schema, false});
      }
    }
    if (stage.state) {
      all.push_back({state_name_of(stage.name, stage.generation), stage.state_key_schema,
                     stage.state_schema, stage.windowed});
    }
  }
  return all;
}

bytes encode_stored_schema(const stored_schema& s) {
  bytes out;
  byte_writer w{out};
  w.put(schemas_version).put(std::uint8_t{s.windowed}).put(std::uint8_t{s.key.has_value()});
  if (s.key) w.put_bytes(detail::encode_schema(*s.key));
  w.put_bytes(detail::encode_schema(s.value));
  return out;
}

std::optional<stored_schema> decode_stored_schema(bytes_view name, bytes_view in) {
  byte_reader r{in};
  if (r.get<std::uint8_t>() != schemas_version) return std::nullopt;
  stored_schema s;
  s.name = name;
  s.windowed = r.get<std::uint8_t>() != 0;
  if (r.get<std::uint8_t>() != 0) {
    auto key = detail::decode_schema(r.get_bytes());
    if (!key) return std::nullopt;
    s.key = std::move(*key);
  }
  auto value = detail::decode_schema(r.get_bytes());
  if (!value || !r.done()) return std::nullopt;
  s.value = std::move(*value);
  return s;
}

result<std::vector<stored_schema>> read_schema_history(event_log& log, const std::string& app) {
  std::vector<stored_schema> all;
  auto found = log.find_topic(schemas_topic(app));
  if (!found) return fail(found.error());
  if (!*found) return all;
  auto read = for_each_record(log, schemas_topic(app), [&](const record_view& r) -> result<void> {
    if (!r.key || !r.value) return {};
    if (auto s = decode_stored_schema(*r.key, *r.value)) all.push_back(std::move(*s));
    return {};
  });
  if (!read) return fail(read.error());
  return all;
}

result<std::map<std::string, stored_schema>> read_schemas(event_log& log, const std::string& app) {
  auto history = read_schema_history(log, app);
  if (!history) return fail(history.error());
  std::map<std::string, stored_schema> newest;
  for (auto& s : *history) {
    auto name = s.name;
    newest[std::move(name)] = std::move(s);
  }
  return newest;
}

result<void> publish_schemas(const topology& t, event_log& log, commit_lane& lane, timestamp now) {
  topic_config config;
  config.name = schemas_topic(t.app_name());
  config.owner = t.app_name();
  config.max_record_bytes = log_limits::max_max_record_bytes;
  if (auto made = log.create_topic(config); !made) return fail(made.error());
  auto stored = read_schemas(log, t.app_name());
  if (!stored) return fail(stored.error());
  record_batch batch;
  for (const auto& s : schemas_of(t)) {
    const auto wanted = encode_stored_schema(s);
    const auto have = stored->find(s.name);
    if (have != stored->end() && encode_stored_schema(have->second) == wanted) continue;
    batch.add(now, bytes_view{s.name}, bytes_view{wanted});
  }
  return lane.append({config.name, partition{0}}, std::move(batch));
}

}  // namespace kappa
