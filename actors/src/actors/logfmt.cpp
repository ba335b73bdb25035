#include "actors/logfmt.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace kappa::detail {
namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";  // U+FFFD

// Bytes of the UTF-8 character that `text` begins with; 0: it begins with none (RFC 3629, table in
// section 4).
std::size_t character_bytes(std::string_view text) {
  const auto at = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const auto tail = [&](std::size_t i) { return at(i) >= 0x80 && at(i) <= 0xbf; };
  const auto first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return tail(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool overlong = first == 0xe0 && at(1) < 0xa0;
    const bool surrogate = first == 0xed && at(1) > 0x9f;
    return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool overlong = first == 0xf0 && at(1) < 0x90;
    const bool too_large = first == 0xf4 && at(1) > 0x8f;
    return tail(1) && tail(2) && tail(3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string logfmt_quoted(std::string_view text) {
  std::string out{'"'};
  std::size_t i = 0;
  while (i < text.size()) {
    const auto n = character_bytes(text.substr(i));
    if (i + std::max<std::size_t>(n, 1) > most_logfmt_bytes) {
      out += fmt::format("… ({} bytes)", text.size());
      break;
    }
    const char c = text[i];
    if (n == 0) {
      out += replacement;
      ++i;
      continue;
    }
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += text.substr(i, n);
    }
    i += n;
  }
  out += '"';
  return out;
}

std::string logfmt_line(std::string_view what, const std::initializer_list<log_field>& fields) {
  auto line = fmt::format("msg={}", logfmt_quoted(what));
  for (const auto& f : fields) line += fmt::format(" {}={}", f.name, logfmt_quoted(f.value));
  return line;
}

}  // namespace kappa::detail
