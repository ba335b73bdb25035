#include "names.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

namespace kappa::plugin {
namespace {

bool upper(char c) { return c >= 'A' && c <= 'Z'; }
bool lower(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

constexpr std::array<std::string_view, 99> keywords{
    "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break",
    "case", "catch", "char", "char8_t", "char16_t", "char32_t", "class", "compl", "concept",
    "const", "consteval", "constexpr", "constinit", "const_cast", "continue", "co_await",
    "co_return", "co_yield", "decltype", "default", "delete", "do", "double", "dynamic_cast",
    "else", "enum", "explicit", "export", "extern", "false", "float", "for", "friend", "goto", "if",
    "inline", "int", "long", "mutable", "namespace", "new", "noexcept", "not", "not_eq", "nullptr",
    "operator", "or", "or_eq", "private", "protected", "public", "register", "reinterpret_cast",
    "requires", "return", "short", "signed", "sizeof", "static", "static_assert", "static_cast",
    "struct", "switch", "template", "this", "thread_local", "throw", "true", "try", "typedef",
    "typeid", "typename", "union", "unsigned", "using", "virtual", "void", "volatile", "wchar_t",
    "while", "xor", "xor_eq",
    // Not keywords, but taken: macros of the C library and names that generated code uses.
    "errno", "stdin", "stdout", "stderr", "std", "kappa", "schema_type"};

}  // namespace

std::string snake_case(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool word_starts = upper(c) && i > 0 && name[i - 1] != '_' &&
                             (lower(name[i - 1]) || (i + 1 < name.size() && lower(name[i + 1])));
    if (word_starts) out.push_back('_');
    out.push_back(upper(c) ? static_cast<char>(c - 'A' + 'a') : c);
  }
  if (std::find(keywords.begin(), keywords.end(), out) != keywords.end()) out.push_back('_');
  return out;
}

bool is_identifier(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  if (!std::all_of(name.begin(), name.end(),
                   [](char c) { return upper(c) || lower(c) || c == '_'; }))
    return false;
  return std::find(keywords.begin(), keywords.end(), name) == keywords.end();
}

bool is_namespace(std::string_view name) {
  constexpr std::string_view own = "kappa::";  // within it: Kappa's own schemas
  if (name.starts_with(own)) name.remove_prefix(own.size());
  for (;;) {
    const auto end = name.find("::");
    if (!is_identifier(name.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    name.remove_prefix(end + 2);
  }
}

std::string string_literal(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') {
      out += "\\n";
      if (i + 1 < text.size()) out += "\"\n    \"";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
      // Octal: unlike \x it ends after three digits.
      fmt::format_to(std::back_inserter(out), "\\{:03o}",
                     static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string stem_of(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash != std::string_view::npos) path.remove_prefix(slash + 1);
  if (path.ends_with(".capnp")) path.remove_suffix(6);
  return std::string{path};
}

}  // namespace kappa::plugin
