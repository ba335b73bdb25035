// The nearest right word, for errors about wrong ones.
#pragma once

#include <string>
#include <vector>

namespace kappa::detail {

/// The word with the smallest edit distance to `wrong` when that is small; empty otherwise.
[[nodiscard]] std::string nearest(const std::string& wrong, const std::vector<std::string>& words);

}  // namespace kappa::detail
