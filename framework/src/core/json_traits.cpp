#include "kappa/core/json_traits.hpp"

#include <charconv>
#include <iterator>
#include <optional>

#include <fmt/format.h>

#include "core/trimmed.hpp"

namespace kappa {
namespace {

/// Length of the UTF-8 character at the front, 0 when it is malformed.
std::size_t utf8_length(std::string_view s) {
  const auto at = [&](std::size_t i) -> unsigned {
    return i < s.size() ? static_cast<unsigned char>(s[i]) : 0;
  };
  const auto follows = [&](std::size_t i) { return (at(i) & 0xc0) == 0x80; };
  const auto first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first < 0xf0) {
    const bool overlong = first == 0xe0 && at(1) < 0xa0;
    const bool surrogate = first == 0xed && at(1) >= 0xa0;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first < 0xf5) {
    const bool overlong = first == 0xf0 && at(1) < 0x90;
    const bool beyond = first == 0xf4 && at(1) >= 0x90;
    return follows(1) && follows(2) && follows(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

void append_utf8(std::string& out, unsigned c) {
  const auto put = [&](unsigned byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 63));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 63));
    put(0x80 | (c & 63));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 63));
    put(0x80 | (c >> 6 & 63));
    put(0x80 | (c & 63));
  }
}

/// The four hexadecimal digits at `i`.
std::optional<unsigned> hex4(std::string_view s, std::size_t i) {
  unsigned v = 0;
  if (i + 4 > s.size()) return std::nullopt;
  const auto r = std::from_chars(s.data() + i, s.data() + i + 4, v, 16);
  if (r.ec != std::errc{} || r.ptr != s.data() + i + 4) return std::nullopt;
  return v;
}

/// The text of a JSON string that is in its quotes; nothing when it is malformed.
std::optional<std::string> unquoted(std::string_view s) {
  if (s.size() < 2 || s.front() != '"' || s.back() != '"') return std::nullopt;
  s = s.substr(1, s.size() - 2);
  std::string out;
  for (std::size_t i = 0; i < s.size();) {
    const auto rest = s.substr(i);
    const char c = s[i];
    if (c != '\\') {
      const auto n = utf8_length(rest);
      if (n == 0 || c == '"' || static_cast<unsigned char>(c) < 0x20) return std::nullopt;
      out.append(rest.substr(0, n));
      i += n;
      continue;
    }
    if (rest.size() < 2) return std::nullopt;
    constexpr std::string_view names = "\"\\/bfnrt";
    constexpr std::string_view meant = "\"\\/\b\f\n\r\t";
    if (const auto at = names.find(rest[1]); at != std::string_view::npos) {
      out.push_back(meant[at]);
      i += 2;
      continue;
    }
    auto point = rest[1] == 'u' ? hex4(s, i + 2) : std::nullopt;
    if (!point) return std::nullopt;
    i += 6;
    if (*point >= 0xd800 && *point < 0xdc00) {  // the first half of a pair
      const auto low = s.substr(i).starts_with("\\u") ? hex4(s, i + 2) : std::nullopt;
      if (!low || *low < 0xdc00 || *low >= 0xe000) return std::nullopt;
      point = 0x10000 + ((*point - 0xd800) << 10) + (*low - 0xdc00);
      i += 6;
    } else if (*point >= 0xdc00 && *point < 0xe000) {
      return std::nullopt;
    }
    append_utf8(out, *point);
  }
  return out;
}

template <class T>
result<T> number(std::string_view text, T least, T most) {
  text = detail::trimmed(text);
  T v{};
  const auto r = std::from_chars(text.data(), text.data() + text.size(), v);
  if (r.ec == std::errc::invalid_argument || r.ptr != text.data() + text.size() || text.empty()) {
    return fail(errc::decode, "integer", fmt::format("expected an integer, found {}", text));
  }
  if (r.ec != std::errc{} || v < least || v > most) {
    return fail(errc::decode, "integer", fmt::format("{} is out of the type's range", text));
  }
  return v;
}

}  // namespace

void append_json_text(std::string& out, std::string_view v) {
  out.push_back('"');
  while (!v.empty()) {
    const auto n = utf8_length(v);
    const char c = v[0];
    if (n == 0) {
      out.append("\xef\xbf\xbd");  // as it would be written when it is read back
      v.remove_prefix(1);
      continue;
    }
    if (n == 1 && (c == '"' || c == '\\')) {
      out.push_back('\\');
      out.push_back(c);
    } else if (n == 1 && c == '\n') {
      out.append("\\n");
    } else if (n == 1 && static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out.append(v.substr(0, n));
    }
    v.remove_prefix(n);
  }
  out.push_back('"');
}

namespace detail {

result<std::int64_t> json_integer(std::string_view text, std::int64_t least, std::int64_t most) {
  return number(text, least, most);
}
result<std::uint64_t> json_unsigned(std::string_view text, std::uint64_t most) {
  return number(text, std::uint64_t{0}, most);
}

}  // namespace detail

result<bool> json_traits<bool>::from_json(std::string_view text) {
  text = detail::trimmed(text);
  if (text == "true") return true;
  if (text == "false") return false;
  return fail(errc::decode, "boolean", fmt::format("expected true or false, found {}", text));
}

std::string json_traits<std::string>::to_json(const std::string& v) {
  std::string out;
  append_json_text(out, v);
  return out;
}
result<std::string> json_traits<std::string>::from_json(std::string_view text) {
  auto v = unquoted(detail::trimmed(text));
  if (!v) return fail(errc::decode, "text", "expected a JSON string");
  return std::move(*v);
}

std::string json_traits<timestamp>::to_json(const timestamp& v) {
  constexpr timestamp first = std::chrono::sys_days{std::chrono::year{0} / 1 / 1};
  constexpr timestamp end = std::chrono::sys_days{std::chrono::year{10000} / 1 / 1};
  if (v < first || v >= end) return std::to_string(v.time_since_epoch().count());
  return '"' + format_time(v) + '"';
}
result<timestamp> json_traits<timestamp>::from_json(std::string_view text) {
  text = detail::trimmed(text);
  if (text.size() > 2 && text.front() == '"' && text.back() == '"') {
    if (const auto t = parse_time(text.substr(1, text.size() - 2))) return *t;
    return fail(errc::decode, "time", "expected a time like \"2001-01-01T08:00:00Z\"");
  }
  return json_traits<std::int64_t>::from_json(text).map(
      [](std::int64_t ms) { return timestamp{milliseconds{ms}}; });
}

}  // namespace kappa
