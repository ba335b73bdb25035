#include "kappa/core/suggest.hpp"

#include <algorithm>
#include <numeric>

namespace kappa::detail {
namespace {

// Levenshtein's distance, one row at a time.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const auto above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string suggestion(const std::string& wrong, const std::vector<std::string>& words) {
  std::string best;
  std::size_t least = wrong.size() / 2 + 1;
  for (const auto& w : words) {
    if (const auto d = distance(wrong, w); d < least) {
      least = d;
      best = w;
    }
  }
  return best;
}

}  // namespace kappa::detail
