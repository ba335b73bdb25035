#include "decoding.hpp"

#include <vector>

#include <fmt/format.h>

#include "kappa/admin.kappa.hpp"
#include "kappa/aggregate/event_header.hpp"
#include "kappa/log/envelope.hpp"
#include "kappa/serialization/base64.hpp"
#include "kappa/task/epoch.hpp"
#include "kappa/task/marker.hpp"

namespace kappa::tools {
namespace {

std::string undecodable(bytes_view in, const std::string& problem) {
  std::string base64;
  append_base64(base64, in);
  return fmt::format(R"({{"base64":"{}","problem":{}}})", base64, json_text(problem));
}

std::string time_or_null(timestamp t) {
  return t == min_time ? "null" : t == max_time ? "\"end\"" : to_json(t);
}

std::string marker_json(bytes_view in) {
  const auto m = decode_marker(in);
  if (!m) return undecodable(in, "a marker of another version");
  std::string through;
  for (const auto& [origin, next] : m->through) {
    through += fmt::format("{}{}:{}", through.empty() ? "" : ",", json_text(origin.text()), next);
  }
  constexpr const char* kinds[] = {"", "watermark", "idle", "end"};
  return fmt::format(
      R"({{"stage":{},"generation":{},"task":{},"kind":"{}","watermark":{},"through":{{{}}}}})",
      json_text(m->stage), m->generation, m->task, kinds[static_cast<int>(m->kind)],
      time_or_null(m->watermark), through);
}

std::string birth_json(const birth_record& b) {
  std::string starts;
  for (std::size_t i = 0; i < b.inputs.size(); ++i) {
    starts += fmt::format("{}{}:{}", i == 0 ? "" : ",", json_text(b.inputs[i]), b.starts[i]);
  }
  return fmt::format(R"({{"birth":{{"fingerprint":"{:016x}","log":{},"starts":{{{}}}}}}})",
                     b.fingerprint, json_text(b.log_id), starts);
}

std::string epoch_json(const epoch_record& e) {
  std::string out = fmt::format(R"({{"epoch":{},"clock":{},"code_version":{},"inputs":[)", e.number,
                                time_or_null(e.clock), json_text(e.code_version));
  for (std::size_t i = 0; i < e.inputs.size(); ++i) {
    out += fmt::format(R"({}{{"from":{},"to":{}}})", i == 0 ? "" : ",", e.inputs[i].from,
                       e.inputs[i].to);
  }
  out += ']';
  const auto numbers = [&](const char* name, const std::vector<std::uint32_t>& all) {
    if (all.empty()) return;
    out += fmt::format(",\"{}\":[", name);
    for (std::size_t i = 0; i < all.size(); ++i) out += fmt::format("{}{}", i ? "," : "", all[i]);
    out += ']';
  };
  numbers("idle", e.idle);
  numbers("ended", e.ended);
  if (e.advance) out += fmt::format(",\"advance\":{}", time_or_null(*e.advance));
  if (!e.failed_records.empty()) {
    out += ",\"failed_records\":[";
    for (std::size_t i = 0; i < e.failed_records.size(); ++i) {
      const auto& f = e.failed_records[i];
      out += fmt::format(R"({}{{"input":{},"offset":{},"operator":{}}})", i == 0 ? "" : ",",
                         f.input, f.offset, json_text(f.op));
    }
    out += ']';
  }
  if (!e.failed_timers.empty()) out += fmt::format(",\"failed_timers\":{}", e.failed_timers.size());
  if (e.fired_up_to) out += fmt::format(",\"fired_up_to\":{}", to_json(e.fired_up_to->timer.time));
  return out + "}";
}

std::string epochs_json(bytes_view in) {
  if (is_birth(in)) {
    if (const auto b = decode_birth(in)) return birth_json(*b);
  } else if (const auto e = decode_epoch_record(in)) {
    return epoch_json(*e);
  }
  return undecodable(in, "an epoch record of another version");
}

template <class T>
std::string generated_json(bytes_view in) {
  const auto v = codec<T>::decode(in);
  return v ? to_json(*v) : undecodable(in, v.error().text());
}

std::string schema_json(bytes_view name, bytes_view in) {
  const auto s = decode_stored_schema(name, in);
  if (!s) return undecodable(in, "a schema that another version of Kappa wrote");
  const auto one = [](const schema_info& i) {
    return fmt::format(R"({{"name":{},"id":"{:016x}","fingerprint":"{:016x}","description":{}}})",
                       json_text(i.name), i.id, i.fingerprint, json_text(i.description));
  };
  return fmt::format(R"({{"key":{},"value":{},"windowed":{}}})", s->key ? one(*s->key) : "null",
                     one(s->value), s->windowed);
}

std::optional<schema_reference> schema_in(const headers_view& headers) {
  const auto header = headers.find(envelope_header::schema);
  if (!header) return std::nullopt;
  const auto type = decode_schema_reference(*header);
  return type ? std::optional{*type} : std::nullopt;
}

// The stage's state that a dead letter of a timer holds: "flights/hourly-delays.g1[3]".
std::string state_of_task(std::string_view task) {
  const auto slash = task.find('/');
  const auto bracket = task.rfind('[');
  if (slash == std::string_view::npos || bracket == std::string_view::npos || bracket < slash) {
    return {};
  }
  return "state/" + std::string{task.substr(slash + 1, bracket - slash - 1)};
}

}  // namespace

std::string json_text(std::string_view text) {
  std::string out;
  append_json_text(out, text);
  return out;
}

bool is_marker(const record_view& r) { return r.headers.find(marker_header).has_value(); }

std::string json_of(const std::optional<dynamic_type>& type, bytes_view in,
                    const std::string& problem) {
  if (!type) return problem.empty() ? json_of_unknown(in) : undecodable(in, problem);
  auto text = type->to_json(in);
  return text ? *text : undecodable(in, text.error().text());
}

std::string json_of(const headers_view& headers) {
  std::vector<std::pair<bytes_view, std::vector<std::string>>> all;
  for (const auto& h : headers) {
    std::string value;
    if (h.name == marker_header) {
      value = marker_json(h.value);
    } else if (h.name == envelope_header::schema) {
      const auto schema = decode_schema_reference(h.value);
      value = schema ? json_text(schema->name) : undecodable(h.value, schema.error().text());
    } else if (const auto e = decode_event_header(headers); e && h.name == event_header_name) {
      value =
          fmt::format(R"({{"version":{},"place":{},"count":{}}})", e->version, e->place, e->count);
    } else {
      value = json_of_unknown(h.value);
    }
    auto at = all.begin();
    while (at != all.end() && at->first != h.name) ++at;
    if (at == all.end()) at = all.insert(at, {h.name, {}});
    at->second.push_back(std::move(value));
  }
  std::string out = "{";
  for (const auto& [name, values] : all) {
    if (out.size() > 1) out += ',';
    out += json_text(name) + ":";
    if (values.size() == 1) {
      out += values.front();
      continue;
    }
    for (std::size_t i = 0; i < values.size(); ++i) out += (i == 0 ? '[' : ',') + values[i];
    out += ']';
  }
  return out + "}";
}

result<const decoder*> decoders::of(const std::string& name, const std::string& app) {
  if (const auto at = known_.find(name); at != known_.end()) return &at->second;
  std::vector<std::string> apps;
  if (!app.empty()) {
    apps.push_back(app);
  } else if (auto found = log_.find_topic(name); !found) {
    return fail(found.error());
  } else if (*found && !(*found)->owner.empty()) {
    apps.push_back((*found)->owner);
  } else {
    auto topics = log_.topics();
    if (!topics) return fail(topics.error());
    for (const auto& t : *topics) {
      if (!t.owner.empty() && t.name == schemas_topic(t.owner)) apps.push_back(t.owner);
    }
  }
  auto& out = known_[name];
  for (const auto& a : apps) {
    auto schemas = read_schemas(log_, a);
    if (!schemas) return fail(schemas.error());
    const auto at = schemas->find(name);
    if (at == schemas->end()) continue;
    if (at->second.key) {
      if (auto key = dynamic_type::parse(*at->second.key)) out.key = std::move(*key);
    }
    if (auto value = dynamic_type::parse(at->second.value)) {
      out.value = std::move(*value);
    } else {
      out.problem = value.error().text();
    }
    break;
  }
  return &out;
}

result<decoders::form> decoders::form_of(const std::string& topic) {
  if (const auto at = forms_.find(topic); at != forms_.end()) return at->second;
  auto found = log_.find_topic(topic);
  if (!found) return fail(found.error());
  const auto owner = *found ? (*found)->owner : std::string{};
  auto what = form::plain;
  if (topic.ends_with(".admin") && owner.empty()) {
    what = form::admin_request;
  } else if (owner.empty() || !topic.starts_with(owner + ".")) {
    what = form::plain;
  } else if (topic == owner + ".dead-letters") {
    what = form::dead_letter;
  } else if (topic == schemas_topic(owner)) {
    what = form::schemas;
  } else if (topic == admin_replies_topic(owner)) {
    what = form::admin_reply;
  } else if (topic.ends_with(".epochs")) {
    what = form::epochs;
  }
  forms_[topic] = what;
  return what;
}

result<std::string> decoders::value_of(const topic_partition& where, const record_view& r,
                                       std::string& key) {
  auto what = form_of(where.topic);
  if (!what) return fail(what.error());
  auto name = where.topic;
  std::string app;
  if (*what == form::dead_letter) {
    // As the original: of the topic that it came from, or the state that a timer was at.
    app = where.topic.substr(0, where.topic.rfind('.'));
    name.clear();
    if (r.headers.find("kappa.timer")) {
      name = state_of_task(r.headers.find("kappa.task").value_or(bytes_view{}));
    } else if (const auto at =
                   record_address::parse(r.headers.find("kappa.position").value_or(bytes_view{}))) {
      name = at->where.topic;
    }
  }
  const decoder unknown;
  const auto* how = &unknown;
  if (!name.empty()) {
    auto found = of(name, app);
    if (!found) return fail(found.error());
    how = *found;
    // An aggregate's events and commands are of several types.
    if (const auto type = schema_in(r.headers); type && !how->value && how->problem.empty()) {
      auto of_type = of(name_of_type_in(name, type->name), app);
      if (!of_type) return fail(of_type.error());
      how = *of_type;
    }
  }
  key = r.key ? json_of(how->key, *r.key) : "null";
  if (!r.value) return "null";
  switch (*what) {
    case form::epochs:
      return epochs_json(*r.value);
    case form::admin_request:
      return generated_json<admin::request>(*r.value);
    case form::admin_reply:
      return generated_json<admin::reply>(*r.value);
    case form::schemas:
      return schema_json(r.key.value_or(bytes_view{}), *r.value);
    case form::dead_letter:
    case form::plain:
      break;
  }
  return is_marker(r) ? "null" : json_of(how->value, *r.value, how->problem);
}

result<std::string> decoders::line(const topic_partition& where, const record_view& r) {
  std::string key;
  auto value = value_of(where, r, key);
  if (!value) return value;
  return fmt::format(
      R"({{"topic":{},"partition":{},"offset":{},"time":{},"key":{},"value":{},"headers":{}}})",
      json_text(where.topic), where.partition, r.offset, to_json(r.time), key, *value,
      json_of(r.headers));
}

}  // namespace kappa::tools
