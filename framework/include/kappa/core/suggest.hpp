// The nearest right word, for errors about wrong ones.
//
// Threading: a pure function.
#pragma once

#include <string>
#include <vector>

namespace kappa::detail {

/// The word with the smallest edit distance to `wrong` when that is small; empty otherwise.
[[nodiscard]] std::string suggestion(const std::string& wrong,
                                     const std::vector<std::string>& words);

}  // namespace kappa::detail
