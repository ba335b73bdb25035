// What a request says, read without trust: the parts of its path, its headers, its body.
//
// Threading: functions of one request.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "actors/http_problem.hpp"

namespace httplib {
struct Request;
struct Response;
class ContentReader;
}  // namespace httplib

namespace kappa::detail {

template <class T>
using http_result = tl::expected<T, http_problem>;

[[nodiscard]] inline tl::unexpected<http_problem> refuse(http_problem p) {
  return tl::unexpected<http_problem>{std::move(p)};
}

/// The parts of a request's target between its slashes, decoded one by one: a part may hold a slash
/// as %2F.
[[nodiscard]] http_result<std::vector<std::string>> path_parts(std::string_view target);

/// A header that may be there once.
[[nodiscard]] http_result<std::optional<std::string>> header_of(const httplib::Request& rq,
                                                                const std::string& name);
/// `"7"`, as an ETag says it.
[[nodiscard]] std::optional<std::uint64_t> version_of_etag(std::string_view etag);
[[nodiscard]] std::string etag_of(std::uint64_t version);
/// Whether If-None-Match names this version; weak ones count.
[[nodiscard]] bool names_version(std::string_view if_none_match, std::uint64_t version);

/// A parameter that is `true` or `false`; not there: false.
[[nodiscard]] http_result<bool> flag_parameter(const httplib::Request& rq, const std::string& name);
/// A parameter that is a number; nothing: it is not there.
[[nodiscard]] http_result<std::optional<std::uint64_t>> number_parameter(const httplib::Request& rq,
                                                                         const std::string& name);
/// Refuses parameters of other names.
[[nodiscard]] http_result<void> only_parameters(const httplib::Request& rq,
                                                const std::vector<std::string>& known);

struct body_limits {
  std::size_t bytes = 0;
  std::chrono::milliseconds time{0};
};
/// Takes the body off the connection, also one that is refused, so that the next request begins
/// where it does; up to a bound. `left_over`: it was not, and the connection must be closed.
[[nodiscard]] http_result<std::string> read_body(const httplib::Request& rq,
                                                 const httplib::ContentReader& read,
                                                 const body_limits& limits, bool& left_over);
/// Ends the connection behind this answer, which must have a body: what is left on it of a request
/// would be taken for the next one.
void close_connection(httplib::Response& rs);
/// Whether the request has a body to read.
[[nodiscard]] bool has_body(const httplib::Request& rq);
[[nodiscard]] bool says_json(const httplib::Request& rq);

}  // namespace kappa::detail
