#include "actors/openapi.hpp"

#include <map>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "actors/http_aggregates.hpp"
#include "actors/http_problem.hpp"
#include "kappa/core/bytes.hpp"
#include "kappa/serialization/json.hpp"
#include "kappa/serialization/json_schema.hpp"

namespace kappa::detail {
namespace {

constexpr std::string_view problem_schema =
    R"({"type":"object","required":["type","title","status","detail"],"properties":{)"
    R"("type":{"type":"string","format":"uri"},"title":{"type":"string"},)"
    R"("status":{"type":"integer"},"detail":{"type":"string"},)"
    R"("path":{"type":"string","description":"Of the field that is wrong."},)"
    R"("reason":{"type":"string"},"reason_type":{"type":"string"},"reason_value":true,)"
    R"("expected":{"type":"integer"},"actual":{"type":"integer"},)"
    R"("may_have_happened":{"type":"boolean"},"limit_bytes":{"type":"integer"}}})";

constexpr std::string_view etag_header =
    R"({"ETag":{"description":"The version, in quotes.","schema":{"type":"string"}}})";

constexpr std::string_view header_parameters =
    R"({"name":"Idempotency-Key","in":"header","schema":{"type":"string","minLength":1,)"
    R"("maxLength":128},"description":"By it the command happens once, however often it is sent."},)"
    R"({"name":"If-Match","in":"header","schema":{"type":"string"},)"
    R"("description":"Only at this version, as an ETag says it."},)"
    R"({"name":"If-None-Match","in":"header","schema":{"const":"*"},)"
    R"("description":"Only if there is nothing yet."})";

struct operation {
  std::string_view method;
  std::string id;
  std::string tag;
  std::string summary;
  std::string parameters{};  // of a list
  std::string body{};        // a schema; empty: none
  std::string answer{};      // a schema
  bool has_etag = false;
  std::vector<problem_kind> problems{};
};

// Problems of one status are one answer.
void responses(json_writer& out, const operation& o) {
  std::map<int, std::string> titles;
  for (const auto kind : o.problems) {
    const auto& row = row_of(kind);
    auto& all = titles[row.status];
    all += fmt::format("{}{}", all.empty() ? "" : ". Or: ", row.title);
  }
  out.begin_object();
  out.member("200");
  out.raw(fmt::format(
      R"({{"description":"OK",{}"content":{{"application/json":{{"schema":{}}}}}}})",
      o.has_etag ? fmt::format(R"("headers":{},)", etag_header) : std::string{}, o.answer));
  for (const auto& [status, title] : titles) {
    out.member(std::to_string(status));
    out.raw(fmt::format(
        R"({{"description":{},"content":{{"{}":{{"schema":{{"$ref":"#/components/schemas/Problem"}}}}}}}})",
        json_string(title), problem_media_type));
  }
  out.end_object();
}

void write(json_writer& out, const operation& o) {
  out.member(o.method);
  out.begin_object();
  out.member("operationId");
  out.text(o.id);
  out.member("tags");
  out.raw("[" + json_string(o.tag) + "]");
  out.member("summary");
  out.text(o.summary);
  if (!o.parameters.empty()) {
    out.member("parameters");
    out.raw("[" + o.parameters + "]");
  }
  if (!o.body.empty()) {
    out.member("requestBody");
    out.raw(fmt::format(R"({{"required":true,"content":{{"application/json":{{"schema":{}}}}}}})",
                        o.body));
  }
  out.member("responses");
  responses(out, o);
  out.end_object();
}

std::string local_name(const std::string& schema_name) {
  return schema_name.substr(schema_name.rfind(':') + 1);
}

std::string number_parameter_of(std::string_view name, std::string_view says) {
  return fmt::format(
      R"({{"name":"{}","in":"query","schema":{{"type":"integer","minimum":0}},"description":"{}"}})",
      name, says);
}

std::string flag_parameter_of(std::string_view name, std::string_view says) {
  return fmt::format(
      R"({{"name":"{}","in":"query","schema":{{"type":"boolean"}},"description":"{}"}})", name,
      says);
}

class document {
 public:
  explicit document(std::string& paths) : paths_{paths} {}

  void add(const stage_spec& stage) {
    const auto base = fmt::format("/aggregates/{}/{{key}}", stage.name);
    const auto key = fmt::format(R"({{"name":"key","in":"path","required":true,"schema":{}}})",
                                 schemas_.of(stage.state_key_schema));
    state(stage, base, key);
    history(stage, base, key);
    const auto& forms = stage.aggregate->forms();
    for (std::size_t i = 0; i < forms.commands.size(); ++i) {
      const auto& command = forms.commands[i].schema;
      operation o{"post", fmt::format("{}.{}", stage.name, path_name_of(command.name)), stage.name,
                  local_name(command.name)};
      o.parameters = key + "," + std::string{header_parameters};
      // Strict, where the same type as a part of an answer may have more by and by.
      const auto schema = schemas_.of(command);
      o.body = schema == "true"
                   ? schema
                   : schema.substr(0, schema.size() - 1) + R"(,"unevaluatedProperties":false})";
      const auto reply = forms.replies[i] ? schemas_.of(forms.replies[i]->schema) : "true";
      o.answer = fmt::format(
          R"({{"type":"object","required":["version","events"],"properties":{{)"
          R"("version":{{"type":"integer"}},"events":{{"type":"integer"}},"reply":{}}}}})",
          reply);
      o.has_etag = true;
      using enum problem_kind;
      o.problems = {invalid_request,
                    invalid_json,
                    not_found,
                    body_too_slow,
                    rejected,
                    id_too_old,
                    subject_erased,
                    version_conflict,
                    too_large,
                    uri_too_long,
                    unsupported_media_type,
                    id_reused,
                    failed,
                    elsewhere,
                    unavailable,
                    may_have_happened};
      path(base + "/" + path_name_of(command.name), o);
    }
    // So that a client knows what a rejection may hold.
    for (const auto& r : forms.rejections) (void)schemas_.of(r.schema);
  }

  [[nodiscard]] const std::map<std::string, std::string>& schemas() const {
    return schemas_.named();
  }

 private:
  void state(const stage_spec& stage, const std::string& base, const std::string& key) {
    operation o{"get", stage.name + ".state", stage.name, "The state and its version"};
    o.parameters =
        key + "," + number_parameter_of("at_least_version", "Wait until it is at this version.") +
        "," +
        flag_parameter_of("linearizable", "See all that anybody was told before. Takes a commit.");
    o.answer = fmt::format(
        R"({{"type":"object","required":["type","key","version","state"],"properties":{{)"
        R"("type":{{"const":"{}"}},"key":{{"type":"string"}},"version":{{"type":"integer"}},"state":{}}}}})",
        stage.name, schemas_.of(stage.state_schema));
    o.has_etag = true;
    using enum problem_kind;
    o.problems = {invalid_request, not_found,   uri_too_long, failed,
                  elsewhere,       unavailable, timed_out};
    path(base, o);
  }

  void history(const stage_spec& stage, const std::string& base, const std::string& key) {
    operation o{"get", stage.name + ".history", stage.name, "The events, in order"};
    o.parameters = key + "," + number_parameter_of("from", "Where to go on: next of an answer.") +
                   "," + number_parameter_of("limit", "Events in an answer.");
    std::string events;
    for (const auto* all : {&stage.aggregate->events(), &stage.aggregate->former_events()}) {
      for (const auto& e : *all) events += (events.empty() ? "" : ",") + schemas_.of(e);
    }
    o.answer = fmt::format(
        R"({{"type":"object","required":["type","key","events","next","at_end"],"properties":{{)"
        R"("type":{{"const":"{}"}},"key":{{"type":"string"}},"next":{{"type":"integer"}},)"
        R"("at_end":{{"type":"boolean"}},"events":{{"type":"array","items":{{"type":"object",)"
        R"("required":["version","time","type","position","event"],"properties":{{)"
        R"("version":{{"type":"integer"}},"time":{{"type":"string","format":"date-time"}},)"
        R"("type":{{"type":"string"}},"position":{{"type":"integer"}},"event":{{"anyOf":[{}]}}}}}}}}}}}})",
        stage.name, events);
    using enum problem_kind;
    o.problems = {invalid_request, not_found, uri_too_long, failed, unavailable, timed_out};
    path(base + "/history", o);
  }

  void path(const std::string& name, const operation& o) {
    if (!paths_.empty()) paths_ += ",";
    paths_ += json_string(name) + ":";
    json_writer out{paths_};
    out.begin_object();
    write(out, o);
    out.end_object();
  }

  std::string& paths_;
  json_schemas schemas_{"#/components/schemas/"};
};

}  // namespace

std::string openapi_of(const topology& of, bool with_token) {
  std::string paths;
  document d{paths};
  for (const auto& stage : of.stages()) {
    if (stage.aggregate) d.add(stage);
  }
  std::string schemas = fmt::format(R"("Problem":{})", problem_schema);
  for (const auto& [name, schema] : d.schemas()) schemas += "," + json_string(name) + ":" + schema;
  // It changes when what is described does.
  const auto version = checksum(paths + schemas);
  const std::string_view token =
      with_token
          ? R"(,"securitySchemes":{"token":{"type":"http","scheme":"bearer"}}},"security":[{"token":[]}])"
          : "}";
  return fmt::format(
      R"({{"openapi":"3.1.0","info":{{"title":{},"version":"{:016x}"}},"paths":{{{}}},"components":{{"schemas":{{{}}}{}}})",
      json_string(of.app_name()), version, paths, schemas, token);
}

}  // namespace kappa::detail
