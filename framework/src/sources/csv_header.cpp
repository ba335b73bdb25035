#include "sources/csv_header.hpp"

#include <algorithm>
#include <cctype>
#include <optional>

#include <fmt/ranges.h>

namespace kappa::detail {
namespace {

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

/// Edits count two, a letter of the other case one.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = 2 * j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto diagonal = row[0];
    row[0] = 2 * i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t change = 2;
      if (a[i - 1] == b[j - 1]) {
        change = 0;
      } else if (lower(a[i - 1]) == lower(b[j - 1])) {
        change = 1;
      }
      const auto best = std::min({diagonal + change, row[j] + 2, row[j - 1] + 2});
      diagonal = row[j];
      row[j] = best;
    }
  }
  return row[b.size()];
}

/// The header's names: without quotes, which a header may have as any row.
std::vector<std::string> names_of(bytes_view line) {
  std::vector<std::string> names;
  if (line.empty()) return names;
  while (true) {
    const auto comma = line.find(',');
    auto name = line.substr(0, comma);
    if (name.size() >= 2 && name.front() == '"' && name.back() == '"') {
      name = name.substr(1, name.size() - 2);
    }
    names.emplace_back(name);
    if (comma == bytes_view::npos || names.size() > max_csv_columns) return names;
    line.remove_prefix(comma + 1);
  }
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string mend(bytes_view line, const std::vector<std::string>& found,
                 const std::vector<std::string>& expected) {
  if (found.size() == 1 && expected.size() > 1) {
    for (const auto& [separator, name] : {std::pair{';', "semicolons"}, std::pair{'\t', "tabs"}}) {
      if (line.find(separator) != bytes_view::npos) {
        return fmt::format("it is separated by {}: separate the columns by commas", name);
      }
    }
  }
  std::vector<std::string> missing;
  std::vector<std::string> surplus;
  for (const auto& name : expected) {
    if (!has(found, name)) missing.push_back(name);
  }
  for (const auto& name : found) {
    if (!has(expected, name)) surplus.push_back(name);
  }
  if (missing.size() == expected.size()) {
    const bool digits =
        std::any_of(line.begin(), line.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
    if (digits) return "the first line looks like data: put the header line before it";
  }
  if (missing.empty() && surplus.empty()) {
    return found.size() == expected.size() ? "put the columns into the expected order"
                                           : "remove the columns that are there twice";
  }
  if (missing.empty()) return fmt::format("remove {}", fmt::join(surplus, ", "));
  if (surplus.empty()) return fmt::format("add {}", fmt::join(missing, ", "));
  const auto& first = missing.front();
  return fmt::format("rename \"{}\" to \"{}\"", printable(nearest(first, surplus), 40), first);
}

}  // namespace

std::string_view nearest(std::string_view word, const std::vector<std::string>& names) {
  std::string_view best;
  std::optional<std::size_t> least;
  for (const auto& name : names) {
    const auto d = distance(word.substr(0, 64), std::string_view{name}.substr(0, 64));
    if (!least || d < *least) {
      least = d;
      best = name;
    }
  }
  return best;
}

result<void> check_csv_header(const std::string& path, const csv_format& format, bytes_view line) {
  const auto found = names_of(line);
  if (found == format.columns) return {};
  return fail(errc::bad_config, path,
              fmt::format("the header line must be \"{}\", found \"{}\"; {}",
                          fmt::join(format.columns, ","), printable(line, 400),
                          mend(line, found, format.columns)));
}

}  // namespace kappa::detail
