#include "description.hpp"

#include <set>

#include "kappa/core/parse_number.hpp"

namespace kappa::detail {
namespace {

/// The next word of `line`; the last one is what is left.
std::string_view word(std::string_view& line) {
  const auto end = line.find(' ');
  const auto w = line.substr(0, end);
  line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
  return w;
}

}  // namespace

std::optional<description> parse_description(std::string_view text) {
  constexpr std::string_view head_line = "capnp 2\n";
  if (!text.starts_with(head_line)) return std::nullopt;
  text.remove_prefix(head_line.size());
  description out;
  std::set<unsigned> ordinals;  // of the last struct
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    auto line = text.substr(0, end);
    text.remove_prefix(end + 1);
    const auto head = word(line);
    std::size_t index = 0;
    if (head == "struct") {
      if (!parse_number(word(line), index) || index != out.structs.size() || !out.enums.empty()) {
        return std::nullopt;
      }
      out.structs.push_back({line, {}});
      ordinals.clear();
      continue;
    }
    if (head == "tombstone") {
      if (out.structs.size() != 1 || !ordinals.empty() || out.structs.front().tombstone)
        return std::nullopt;
      out.structs.front().tombstone = true;
      continue;
    }
    if (head == "enum") {
      if (!parse_number(word(line), index) || index != out.enums.size()) return std::nullopt;
      out.enums.push_back({word(line), {}});
      while (!line.empty()) out.enums.back().values.push_back(word(line));
      continue;
    }
    described_field f;
    if (out.structs.empty() || !out.enums.empty() || !head.starts_with('@') ||
        !parse_number(head.substr(1), f.ordinal)) {
      return std::nullopt;
    }
    f.type = word(line);
    f.place = word(line);
    f.fallback = word(line);
    f.when = word(line);
    f.name = line;
    if (f.name.empty() || !ordinals.insert(f.ordinal).second) return std::nullopt;
    out.structs.back().fields.push_back(f);
  }
  if (out.structs.empty()) return std::nullopt;
  return out;
}

}  // namespace kappa::detail
