#include "actors/http_problem.hpp"

#include <array>

#include <httplib.h>

#include <fmt/format.h>

#include "kappa/core/json_traits.hpp"
#include "kappa/serialization/json.hpp"

namespace kappa::detail {
namespace {

// A rejection is of what the aggregate is now, which is what 409 is for; 422 is left to ids, as the
// draft on idempotency keys has it, and 412 to versions: so a client needs the status alone.
constexpr std::array table{
    problem_row{problem_kind::not_found, 404, "not-found", "There is no such thing"},
    problem_row{problem_kind::method_not_allowed, 405, "method-not-allowed",
                "It does not take this method"},
    problem_row{problem_kind::invalid_request, 400, "invalid-request",
                "The request is not understood"},
    problem_row{problem_kind::invalid_json, 400, "invalid-json",
                "The body is not what the schema says"},
    problem_row{problem_kind::unsupported_media_type, 415, "unsupported-media-type",
                "The body must be JSON"},
    problem_row{problem_kind::body_too_slow, 408, "body-too-slow", "The body did not come in time"},
    problem_row{problem_kind::too_large, 413, "too-large", "It is too large"},
    problem_row{problem_kind::uri_too_long, 414, "uri-too-long", "The path is too long"},
    problem_row{problem_kind::unauthorized, 401, "unauthorized", "A token is needed"},
    problem_row{problem_kind::rejected, 409, "rejected", "The aggregate has rejected the command"},
    problem_row{problem_kind::version_conflict, 412, "version-conflict",
                "The aggregate is at another version"},
    problem_row{problem_kind::id_reused, 422, "id-reused",
                "The idempotency key was another command's"},
    problem_row{problem_kind::id_too_old, 410, "id-too-old",
                "Whether it has happened is not known any more"},
    problem_row{problem_kind::subject_erased, 410, "subject-erased",
                "The key of whose personal data it is was deleted"},
    problem_row{problem_kind::elsewhere, 503, "elsewhere", "Another process has it"},
    problem_row{problem_kind::unavailable, 503, "unavailable", "Not now"},
    problem_row{problem_kind::timed_out, 504, "timed-out", "No answer in time"},
    problem_row{problem_kind::may_have_happened, 504, "may-have-happened",
                "It is not known whether the command has happened"},
    problem_row{problem_kind::failed, 500, "failed", "It failed"},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (static_cast<std::size_t>(table[i].kind) != i) return false;
  }
  return table.size() == static_cast<std::size_t>(problem_kind::failed) + 1;
}
static_assert(in_order());

problem_kind kind_of(const error& e) {
  switch (e.code) {
    case errc::not_found:
      return problem_kind::not_found;
    case errc::invalid_argument:
    case errc::bad_config:
      return problem_kind::invalid_request;
    case errc::too_large:
      return problem_kind::too_large;
    case errc::elsewhere:
      return problem_kind::elsewhere;
    case errc::unavailable:
    case errc::io:  // of the log, or of a state
    case errc::no_space:
    case errc::stopped:
    case errc::quarantined:
    case errc::fenced:
    case errc::owned:
      return problem_kind::unavailable;
    case errc::timed_out:
      return problem_kind::timed_out;
    case errc::id_reused:
      return problem_kind::id_reused;
    case errc::too_old:
      return problem_kind::id_too_old;
    case errc::erased:
      return problem_kind::subject_erased;
    default:
      return e.retriable ? problem_kind::unavailable : problem_kind::failed;
  }
}

}  // namespace

std::span<const problem_row> problem_table() { return table; }
const problem_row& row_of(problem_kind k) { return table[static_cast<std::size_t>(k)]; }

http_problem problem_of_query(const error& e) { return {kind_of(e), e.text()}; }

http_problem problem_of_command(const error& e) {
  if (e.code == errc::timed_out || e.code == errc::indefinite) {
    return {problem_kind::may_have_happened,
            e.text() + ": ask again with the same Idempotency-Key, and it happens once",
            R"("may_have_happened":true)"};
  }
  auto p = problem_of_query(e);
  if (p.kind == problem_kind::id_too_old || p.kind == problem_kind::subject_erased)
    p.members = R"("may_have_happened":true)";
  return p;
}

http_problem problem_of_conflict(const version_conflict& c) {
  return {problem_kind::version_conflict,
          fmt::format("version {} was expected, it is at {}", c.expected, c.actual),
          fmt::format(R"("expected":{},"actual":{})", c.expected, c.actual)};
}

http_problem problem_of_json(const std::string& message) {
  const auto parts = split_json_problem(message);
  return {problem_kind::invalid_json, message,
          parts.path.empty() ? std::string{} : "\"path\":" + json_string(parts.path)};
}

std::string retry_after_seconds() {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(pause_before_retry).count());
}

void answer_problem(httplib::Response& rs, const http_problem& p) {
  const auto& row = row_of(p.kind);
  rs.status = row.status;
  if (row.status == 503) rs.set_header("Retry-After", retry_after_seconds());
  if (!p.allow.empty()) rs.set_header("Allow", p.allow);
  rs.set_content(fmt::format(R"({{"type":{},"title":{},"status":{},"detail":{}{}{}}})"
                             "\n",
                             json_string(fmt::format("{}{}", problem_type_prefix, row.name)),
                             json_string(row.title), row.status, json_string(p.detail),
                             p.members.empty() ? "" : ",", p.members),
                 problem_media_type);
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_text(out, text);
  return out;
}

}  // namespace kappa::detail
