#include "actors/http_aggregates.hpp"

#include <algorithm>

#include <httplib.h>

#include <fmt/format.h>

#include "actors/aggregate_history.hpp"
#include "kappa/core/caught.hpp"
#include "kappa/serialization/dynamic.hpp"
#include "kappa/serialization/json.hpp"

namespace kappa::detail {
namespace {

constexpr std::string_view history_name = "history";
constexpr std::uint64_t default_history = 100;
constexpr std::uint64_t most_history = 1000;
// Each reads a partition, which takes disk or network that commands need too.
constexpr int most_histories_at_once = 4;

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

void json(httplib::Response& rs, std::string text) {
  rs.set_content(std::move(text) + "\n", "application/json");
}

http_problem no_such(std::string detail) { return {problem_kind::not_found, std::move(detail)}; }
http_problem only(const char* method, std::string detail) {
  return {problem_kind::method_not_allowed, std::move(detail), {}, method};
}

std::optional<std::size_t> command_named(const aggregate_program& program,
                                         const std::string& name) {
  const auto& all = program.commands();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const auto& c) { return path_name_of(c.name) == name; });
  if (found == all.end()) return std::nullopt;
  return static_cast<std::size_t>(found - all.begin());
}

http_problem no_command(const stage_spec& stage, const std::string& name) {
  std::string all;
  for (const auto& c : stage.aggregate->commands())
    all += (all.empty() ? "" : ", ") + path_name_of(c.name);
  return no_such(fmt::format("{} has no command {}; there are: {}", stage.name, name, all));
}

// Strict: what is not understood is not passed over, since it was meant to do something.
http_result<bytes> body_of(const value_form& form, const std::string& text) {
  auto value = caught(form.schema.name, [&] { return form.from_json(text); });
  if (!value) {
    const auto& e = value.error();
    if (e.code == errc::decode || e.code == errc::user_code)
      return refuse(problem_of_json(e.message));
    return refuse({problem_kind::failed, e.text()});
  }
  const auto as_read = caught(form.schema.name, [&] { return form.to_json(*value); });
  if (!as_read) return refuse({problem_kind::failed, as_read.error().text()});
  if (const auto path = member_passed_over(text, *as_read))
    return refuse(problem_of_json(*path + ": " + form.schema.name + " has no such field"));
  return std::move(*value);
}

// Idempotency-Key is a text, in quotes in the IETF's draft and without them elsewhere: one id.
http_result<std::string> id_in(const httplib::Request& rq) {
  constexpr const char* name = "Idempotency-Key";
  auto given = header_of(rq, name);
  if (!given) return refuse(std::move(given.error()));
  if (!*given) return std::string{};
  auto id = std::move(**given);
  if (id.size() >= 2 && id.front() == '"' && id.back() == '"') id = id.substr(1, id.size() - 2);
  if (auto good = check_command_id(id); !good)
    return refuse(
        {problem_kind::invalid_request, fmt::format("header {}: {}", name, good.error().message)});
  return id;
}

http_result<std::optional<std::uint64_t>> expected_in(const httplib::Request& rq) {
  auto match = header_of(rq, "If-Match");
  if (!match) return refuse(std::move(match.error()));
  auto none = header_of(rq, "If-None-Match");
  if (!none) return refuse(std::move(none.error()));
  const auto wrong = [](const char* detail) {
    return refuse({problem_kind::invalid_request, detail});
  };
  if (*match && *none) return wrong("If-Match and If-None-Match exclude each other");
  if (*none) {
    if (**none != "*") return wrong("header If-None-Match: of a command it can be * only");
    return std::optional<std::uint64_t>{0};
  }
  if (!*match) return std::optional<std::uint64_t>{};
  const auto version = version_of_etag(**match);
  if (!version) return wrong("header If-Match: expected one version, as an ETag tells it: \"7\"");
  return version;
}

http_problem problem_of_rejection(const kappa::rejection& r, const aggregate_forms& forms) {
  http_problem p{problem_kind::rejected, r.reason, "\"reason\":" + json_string(r.reason)};
  if (r.type.empty()) return p;
  p.members += ",\"reason_type\":" + json_string(r.type);
  const auto form = std::find_if(forms.rejections.begin(), forms.rejections.end(),
                                 [&](const value_form& f) { return f.schema.name == r.type; });
  const auto value = form != forms.rejections.end() ? form->to_json(r.value)
                                                    : result<std::string>{json_of_unknown(r.value)};
  if (value) p.members += ",\"reason_value\":" + *value;
  return p;
}

std::string event_json(const past_event& e) {
  return fmt::format(R"({{"version":{},"time":{},"type":{},"position":{},"event":{}}})", e.version,
                     json_string(format_time(e.time)), json_string(e.type), e.position.value,
                     e.json);
}

}  // namespace

std::string path_name_of(std::string_view schema_name) {
  const auto name = schema_name.substr(schema_name.rfind(':') + 1);
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (c == '.' || c == '_') {  // a struct in a struct
      out.push_back('-');
      continue;
    }
    const bool begins = is_upper(c) && i > 0 && !out.ends_with('-') &&
                        (is_lower(name[i - 1]) || (i + 1 < name.size() && is_lower(name[i + 1])));
    if (begins) out.push_back('-');
    out.push_back(is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return out;
}

struct http_aggregates::place {
  const stage_spec* stage = nullptr;
  std::string key_text;
  bytes key;
};

http_result<http_aggregates::place> http_aggregates::find(
    const std::vector<std::string>& parts) const {
  if (parts.size() < 3 || parts.size() > 4) {
    return refuse(
        no_such("there are /aggregates/{type}/{key}, /aggregates/{type}/{key}/history "
                "and, to POST to, /aggregates/{type}/{key}/{command}"));
  }
  const auto& topology = host_.topology();
  const auto* stage = topology.find(parts[1]);
  if (stage == nullptr || !stage->aggregate) {
    std::string all;
    for (const auto& s : topology.stages()) {
      if (s.aggregate) all += (all.empty() ? "" : ", ") + s.name;
    }
    return refuse(no_such(fmt::format("there is no aggregate {}; there are: {}", parts[1],
                                      all.empty() ? "none" : all)));
  }
  const auto wrong_key = [](std::string why) {
    return refuse({problem_kind::invalid_request, "the key: " + std::move(why)});
  };
  if (parts[2].empty()) return wrong_key("it is empty");
  auto key = caught("the key", [&] { return stage->key_from_text(parts[2]); });
  if (!key) return wrong_key(key.error().text());
  return place{stage, parts[2], std::move(*key)};
}

void http_aggregates::get(const httplib::Request& rq, httplib::Response& rs) const {
  const auto answered = [&]() -> http_result<void> {
    auto parts = path_parts(rq.target);
    if (!parts) return refuse(std::move(parts.error()));
    auto at = find(*parts);
    if (!at) return refuse(std::move(at.error()));
    if (parts->size() == 3) return state(rq, rs, *at);
    const auto& last = parts->back();
    if (last == history_name) return history(rq, rs, *at);
    if (!command_named(*at->stage->aggregate, last)) return refuse(no_command(*at->stage, last));
    return refuse(only("POST", "a command is asked by POST"));
  }();
  if (!answered) answer_problem(rs, answered.error());
}

void http_aggregates::post(const httplib::Request& rq, httplib::Response& rs,
                           const httplib::ContentReader& read) const {
  bool left_over = false;
  // First: what is refused without it would be taken for the connection's next request.
  const auto body = read_body(rq, read, {options_.max_body_bytes, options_.body_time}, left_over);
  const auto answered = [&]() -> http_result<void> {
    auto parts = path_parts(rq.target);
    if (!parts) return refuse(std::move(parts.error()));
    auto at = find(*parts);
    if (!at) return refuse(std::move(at.error()));
    if (parts->size() == 3)
      return refuse(only("GET", "to ask a command, add its name to the path"));
    const auto which = command_named(*at->stage->aggregate, parts->back());
    if (!which && parts->back() == history_name) return refuse(only("GET", "it is only read"));
    if (!which) return refuse(no_command(*at->stage, parts->back()));
    if (!says_json(rq)) {
      return refuse({problem_kind::unsupported_media_type,
                     "expected the header Content-Type: application/json"});
    }
    if (!body) return refuse(body.error());
    return command(rq, rs, *at, *which, *body);
  }();
  if (!answered) answer_problem(rs, answered.error());
  if (left_over) close_connection(rs);
}

http_result<void> http_aggregates::command(const httplib::Request& rq, httplib::Response& rs,
                                           const place& at, std::size_t which,
                                           const std::string& body) const {
  if (auto good = only_parameters(rq, {}); !good) return good;
  auto id = id_in(rq);
  if (!id) return refuse(std::move(id.error()));
  auto expected = expected_in(rq);
  if (!expected) return refuse(std::move(expected.error()));
  const auto& program = *at.stage->aggregate;
  const auto& forms = program.forms();
  auto value = body_of(forms.commands[which], body);
  if (!value) return refuse(std::move(value.error()));

  command_call call{at.key, which, std::move(*value)};
  if (!id->empty()) call.id = std::move(*id);
  call.expected = *expected;
  const auto done =
      host_.ask_and_wait(std::move(call), {program.type(), at.stage->state_key_schema.fingerprint},
                         options_.answer_time);
  if (!done) {
    const auto& why = done.error();
    if (const auto* r = why.rejected()) return refuse(problem_of_rejection(*r, forms));
    if (const auto* c = why.conflict()) return refuse(problem_of_conflict(*c));
    return refuse(problem_of_command(*why.failed()));
  }
  std::string reply;
  if (done->reply) {
    const auto& form = forms.replies[which];
    // It has happened: what cannot be shown as it should is shown as it is.
    const auto shown = form ? form->to_json(*done->reply) : result<std::string>{};
    reply = ",\"reply\":" + (form && shown ? *shown : json_of_unknown(*done->reply));
  }
  rs.status = 200;
  rs.set_header("ETag", etag_of(done->version));
  json(rs, fmt::format(R"({{"version":{},"events":{}{}}})", done->version, done->events, reply));
  return {};
}

http_result<void> http_aggregates::state(const httplib::Request& rq, httplib::Response& rs,
                                         const place& at) const {
  if (auto good = only_parameters(rq, {"at_least_version", "linearizable"}); !good) return good;
  auto at_least = number_parameter(rq, "at_least_version");
  if (!at_least) return refuse(std::move(at_least.error()));
  const auto linearizable = flag_parameter(rq, "linearizable");
  if (!linearizable) return refuse(linearizable.error());
  query_options options;
  options.linearizable = *linearizable;
  options.timeout = options_.answer_time;
  options.refuse_stale = true;  // what is not there yet would look as if it had never been
  options.at_least_version = *at_least;
  const auto found = host_.query_bytes(at.stage->name, at.key, at.key, options);
  if (!found) return refuse(problem_of_query(found.error()));
  if (!found->value) return refuse(no_such(at.stage->name + " has nothing under this key"));
  const auto version = version_in(*found->value);
  rs.set_header("ETag", etag_of(version));
  if (rq.has_header("If-None-Match") &&
      names_version(rq.get_header_value("If-None-Match"), version)) {
    rs.status = 304;
    return {};
  }
  const auto text = at.stage->state_json(*found->value);  // {"version":…,"state":…}
  if (!text) return refuse({problem_kind::failed, text.error().text()});
  rs.status = 200;
  json(rs, fmt::format(R"({{"type":{},"key":{},{})", json_string(at.stage->name),
                       json_string(at.key_text), text->substr(1)));
  return {};
}

http_result<void> http_aggregates::history(const httplib::Request& rq, httplib::Response& rs,
                                           const place& at) const {
  if (auto good = only_parameters(rq, {"from", "limit"}); !good) return good;
  auto from = number_parameter(rq, "from");
  if (!from) return refuse(std::move(from.error()));
  auto limit = number_parameter(rq, "limit");
  if (!limit) return refuse(std::move(limit.error()));
  history_question q;
  q.stage = at.stage;
  q.key = at.key;
  if (from->value_or(0) > static_cast<std::uint64_t>(INT64_MAX))
    return refuse({problem_kind::invalid_request, "parameter from: there is no such position"});
  q.from = offset{static_cast<std::int64_t>(from->value_or(0))};
  q.limit = limit->value_or(default_history);
  q.time = options_.answer_time;
  if (q.limit == 0 || q.limit > most_history) {
    return refuse({problem_kind::invalid_request,
                   fmt::format("parameter limit: expected 1 … {}", most_history)});
  }
  const auto found = [&]() -> result<aggregate_history> {
    const int before = histories_++;
    const auto read = before < most_histories_at_once
                          ? caught(at.stage->name, [&] { return read_history(host_, q); })
                          : fail(errc::unavailable, at.stage->name,
                                 "as many histories are being read as may be", true);
    --histories_;
    return read;
  }();
  if (!found) return refuse(problem_of_query(found.error()));
  if (found->events.empty() && found->at_end && !*from)
    return refuse(no_such(at.stage->name + " has no events under this key"));
  std::string events;
  for (const auto& e : found->events) events += (events.empty() ? "" : ",") + event_json(e);
  rs.status = 200;
  json(rs, fmt::format(R"({{"type":{},"key":{},"events":[{}],"next":{},"at_end":{}}})",
                       json_string(at.stage->name), json_string(at.key_text), events,
                       found->next.value, found->at_end));
  return {};
}

http_problem http_aggregates::wrong_method(const httplib::Request& rq) const {
  const auto parts = path_parts(rq.target);
  if (!parts) return parts.error();
  const auto at = find(*parts);
  if (!at) return at.error();
  if (parts->size() == 3) return only("GET", "a state is only read");
  if (command_named(*at->stage->aggregate, parts->back()))
    return only("POST", "a command is asked by POST");
  if (parts->back() == history_name) return only("GET", "it is only read");
  return no_command(*at->stage, parts->back());
}

void http_aggregates::add_to(httplib::Server& server) {
  // The library matches the path decoded, where a slash of the key is as any other: it is taken
  // apart again from what was sent.
  server.Get(R"(/aggregates/[\s\S]*)",
             [this](const httplib::Request& rq, httplib::Response& rs) { get(rq, rs); });
  server.Post(R"(/aggregates/[\s\S]*)",
              [this](const httplib::Request& rq, httplib::Response& rs,
                     const httplib::ContentReader& read) { post(rq, rs, read); });
}

}  // namespace kappa::detail
