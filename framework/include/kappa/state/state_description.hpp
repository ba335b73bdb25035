// What a state on disk says of itself, for those who open it without its app: whose it is, and what
// its tables hold. With it `state_store::open` opens the state read-only.
//
// Threading: a plain function; it blocks on the disk.
#pragma once

#include <filesystem>
#include <vector>

#include "kappa/core/error.hpp"
#include "kappa/state/state_store.hpp"

namespace kappa {

struct state_description {
  state_identity identity;
  std::vector<state_table_spec> tables;  // by name
};

/// Of the state in `folder`, which is only read. errc::not_found: none there; errc::incompatible:
/// of a newer format, or no state; errc::corrupt: damaged.
[[nodiscard]] result<state_description> describe_state(const std::filesystem::path& folder);

}  // namespace kappa
