#include "table.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace kappa::tools {

std::string text_table::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    widths.push_back(columns_[i].name.size());
    for (const auto& row : rows_) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  const auto line = [&](const auto& cell) {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (i > 0) out += "  ";
      out += columns_[i].number ? fmt::format("{:>{}}", cell(i), widths[i])
                                : fmt::format("{:<{}}", cell(i), widths[i]);
    }
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  };
  line([&](std::size_t i) { return columns_[i].name; });
  for (const auto& row : rows_) line([&](std::size_t i) { return row[i]; });
  return out;
}

}  // namespace kappa::tools
