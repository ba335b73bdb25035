// What is wrong with a request, as it is answered: application/problem+json (RFC 9457). One table
// says which status each has.
//
// Threading: plain values and functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "kappa/actors/ask.hpp"
#include "kappa/core/error.hpp"

namespace httplib {
struct Response;
}

namespace kappa::detail {

enum class problem_kind {
  not_found,
  method_not_allowed,
  invalid_request,  // a header, a parameter, the key
  invalid_json,
  unsupported_media_type,
  body_too_slow,
  too_large,
  uri_too_long,
  unauthorized,
  rejected,
  version_conflict,
  id_reused,
  id_too_old,
  subject_erased,
  elsewhere,
  unavailable,
  timed_out,  // of what changes nothing
  may_have_happened,
  failed
};

struct problem_row {
  problem_kind kind;
  int status;
  std::string_view name;  // the last part of the problem's type
  std::string_view title;
};
/// All there are, in the order of the enum.
[[nodiscard]] std::span<const problem_row> problem_table();
[[nodiscard]] const problem_row& row_of(problem_kind k);

inline constexpr std::string_view problem_type_prefix = "urn:kappa:problem:";
inline constexpr const char* problem_media_type = "application/problem+json";

struct http_problem {
  problem_kind kind = problem_kind::failed;
  std::string detail;
  std::string members{};  // further ones, as JSON: "\"expected\":3"
  std::string allow{};    // methods, of method_not_allowed
};

/// What failed of a request that changes nothing.
[[nodiscard]] http_problem problem_of_query(const error& e);
/// What failed of a command.
[[nodiscard]] http_problem problem_of_command(const error& e);
[[nodiscard]] http_problem problem_of_conflict(const version_conflict& c);
/// `message`: of an error of kappa/serialization/json.hpp.
[[nodiscard]] http_problem problem_of_json(const std::string& message);

/// For a header Retry-After.
[[nodiscard]] std::string retry_after_seconds();

void answer_problem(httplib::Response& rs, const http_problem& p);

/// A JSON string with its quotes.
[[nodiscard]] std::string json_string(std::string_view text);

}  // namespace kappa::detail
