#include "actors/http_request.hpp"

#include <algorithm>
#include <utility>

#include <httplib.h>

#include <fmt/format.h>

#include "kappa/core/parse_number.hpp"

namespace kappa::detail {
namespace {

// Of a body that is refused. One that goes on costs the client its connection.
constexpr std::size_t most_drained_bytes = 8 << 20;

std::optional<std::string> decoded(std::string_view part) {
  std::string out;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] != '%') {
      out.push_back(part[i]);
      continue;
    }
    unsigned byte = 0;
    if (i + 2 >= part.size() || !parse_number(part.substr(i + 1, 2), byte, 16)) return std::nullopt;
    out.push_back(static_cast<char>(byte));
    i += 2;
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

http_problem invalid(std::string detail) {
  return {problem_kind::invalid_request, std::move(detail)};
}

}  // namespace

http_result<std::vector<std::string>> path_parts(std::string_view target) {
  target = target.substr(0, target.find_first_of("?#"));
  if (target.starts_with('/')) target.remove_prefix(1);
  std::vector<std::string> parts;
  for (;;) {
    const auto end = target.find('/');
    auto part = decoded(target.substr(0, end));
    if (!part) return refuse(invalid("the path has a % that two hexadecimal digits do not follow"));
    parts.push_back(std::move(*part));
    if (end == std::string_view::npos) return parts;
    target.remove_prefix(end + 1);
  }
}

http_result<std::optional<std::string>> header_of(const httplib::Request& rq,
                                                  const std::string& name) {
  const auto times = rq.get_header_value_count(name);
  if (times == 0) return std::optional<std::string>{};
  if (times > 1) return refuse(invalid("header " + name + " is there more than once"));
  return std::optional{rq.get_header_value(name)};
}

std::optional<std::uint64_t> version_of_etag(std::string_view etag) {
  etag = trimmed(etag);
  std::uint64_t version = 0;
  if (etag.size() < 3 || !etag.starts_with('"') || !etag.ends_with('"') ||
      !parse_number(etag.substr(1, etag.size() - 2), version)) {
    return std::nullopt;
  }
  return version;
}

std::string etag_of(std::uint64_t version) { return fmt::format("\"{}\"", version); }

bool names_version(std::string_view if_none_match, std::uint64_t version) {
  if (trimmed(if_none_match) == "*") return true;
  while (!if_none_match.empty()) {
    const auto end = if_none_match.find(',');
    auto one = trimmed(if_none_match.substr(0, end));
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (version_of_etag(one) == version) return true;
    if (end == std::string_view::npos) break;
    if_none_match.remove_prefix(end + 1);
  }
  return false;
}

http_result<std::optional<std::uint64_t>> number_parameter(const httplib::Request& rq,
                                                           const std::string& name) {
  if (!rq.has_param(name)) return std::optional<std::uint64_t>{};
  std::uint64_t number = 0;
  if (rq.get_param_value_count(name) > 1 || !parse_number(rq.get_param_value(name), number))
    return refuse(invalid("parameter " + name + ": expected one number"));
  return std::optional{number};
}

http_result<bool> flag_parameter(const httplib::Request& rq, const std::string& name) {
  if (!rq.has_param(name)) return false;
  const auto said = rq.get_param_value(name);
  if (rq.get_param_value_count(name) > 1 || (said != "true" && said != "false"))
    return refuse(invalid("parameter " + name + ": expected true or false"));
  return said == "true";
}

http_result<void> only_parameters(const httplib::Request& rq,
                                  const std::vector<std::string>& known) {
  for (const auto& [name, value] : rq.params) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string all;
    for (const auto& k : known) all += (all.empty() ? "" : ", ") + k;
    return refuse(
        invalid("no such parameter: " + name + "; there are: " + (all.empty() ? "none" : all)));
  }
  return {};
}

bool has_body(const httplib::Request& rq) {
  return rq.has_header("Transfer-Encoding") ||
         (rq.has_header("Content-Length") && rq.get_header_value("Content-Length") != "0");
}

http_result<std::string> read_body(const httplib::Request& rq, const httplib::ContentReader& read,
                                   const body_limits& limits, bool& left_over) {
  left_over = false;
  std::string body;
  // Without a length the library would read until the client closes the connection.
  if (!has_body(rq)) return body;
  const auto until = std::chrono::steady_clock::now() + limits.time;
  std::size_t size = 0;
  bool late = false;
  const auto take = [&](const char* data, std::size_t n) {
    size += n;
    if (size <= limits.bytes) body.append(data, n);
    late = std::chrono::steady_clock::now() > until;
    return !late && size <= limits.bytes + most_drained_bytes;
  };
  const bool whole = rq.is_multipart_form_data()
                         ? read([](const httplib::MultipartFormData&) { return true; }, take)
                         : read(take);
  left_over = !whole;
  if (size > limits.bytes) {
    return refuse({problem_kind::too_large,
                   fmt::format("the body has more than {} bytes, which is the limit", limits.bytes),
                   fmt::format(R"("limit_bytes":{})", limits.bytes)});
  }
  if (whole) return body;
  if (late || std::chrono::steady_clock::now() > until) {
    return refuse({problem_kind::body_too_slow,
                   fmt::format("the body was not there after {} ms", limits.time.count())});
  }
  return refuse(invalid("the body could not be read: it ends too early, or is encoded wrongly"));
}

// The library keeps a connection unless writing fails: so it does, once all is written.
void close_connection(httplib::Response& rs) {
  const auto type = rs.get_header_value("Content-Type");
  rs.headers.erase("Content-Type");
  rs.set_header("Connection", "close");
  auto body = std::exchange(rs.body, {});
  const auto size = body.size();
  rs.set_content_provider(
      size, type,
      [body = std::move(body)](std::size_t from, std::size_t /*length*/, httplib::DataSink& to) {
        to.write(body.data() + from, body.size() - from);
        return false;
      });
}

bool says_json(const httplib::Request& rq) {
  const auto header = rq.get_header_value("Content-Type");
  std::string type{trimmed(std::string_view{header}.substr(0, header.find(';')))};
  std::transform(type.begin(), type.end(), type.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return type == "application/json";
}

}  // namespace kappa::detail
