#include "source_lines.hpp"

#include <cctype>
#include <fstream>
#include <sstream>
#include <string_view>

#include <fmt/format.h>

namespace kappa::plugin {
namespace {

bool word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

/// The text with comments blanked out, so that they are not found.
std::string without_comments(std::string text) {
  bool comment = false;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto& c = text[i];
    if (c == '\n') {
      comment = quoted = false;
    } else if (comment) {
      c = ' ';
    } else if (c == '"' && (i == 0 || text[i - 1] != '\\')) {
      quoted = !quoted;
    } else if (c == '#' && !quoted) {
      comment = true;
      c = ' ';
    }
  }
  return text;
}

/// Position of `word` as a whole word from `from` on that `follows` accepts what comes after.
template <class F>
std::size_t find_word(std::string_view text, std::string_view word, std::size_t from, F follows) {
  for (auto at = text.find(word, from); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    if (at > 0 && word_char(text[at - 1])) continue;
    auto rest = text.substr(at + word.size());
    if (!rest.empty() && word_char(rest[0])) continue;
    while (!rest.empty() && std::isspace(static_cast<unsigned char>(rest[0])))
      rest.remove_prefix(1);
    if (follows(rest)) return at;
  }
  return std::string_view::npos;
}

}  // namespace

std::string source_lines::locate(const std::string& file, const std::string& scope,
                                 const std::string& member) const {
  std::ifstream in{folder_ + "/" + file};
  if (folder_.empty() || !in) return file;
  std::stringstream all;
  all << in.rdbuf();
  const auto text = without_comments(all.str());

  std::size_t at = 0;
  bool found = false;
  std::string_view rest = scope;
  while (!rest.empty()) {
    const auto dot = rest.find('.');
    const auto name = rest.substr(0, dot);
    for (const auto* keyword : {"struct ", "enum ", "interface ", "const ", "annotation "}) {
      const auto word = keyword + std::string{name};
      const auto here = find_word(text, word, at, [](std::string_view) { return true; });
      if (here != std::string::npos) {
        at = here;
        found = true;
        break;
      }
    }
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (!member.empty()) {
    const auto name = member.substr(member.rfind('.') + 1);
    const auto here = find_word(text, name, at, [](std::string_view after) {
      return !after.empty() && (after[0] == '@' || after[0] == ':');
    });
    if (here != std::string::npos) {
      at = here;
      found = true;
    }
  }
  if (!found) return file;
  std::size_t line = 1;
  for (std::size_t i = 0; i < at; ++i) line += text[i] == '\n';
  return fmt::format("{}:{}", file, line);
}

}  // namespace kappa::plugin
