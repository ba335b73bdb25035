// What the loops count in: keys are bytes, as in the log, short ones inside the map's own slots.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <functional>

#include <boost/unordered/unordered_flat_map.hpp>

#include "kappa/core/bytes.hpp"

namespace bench {

struct key_hash {
  using is_transparent = void;
  using is_avalanching = void;
  std::size_t operator()(kappa::bytes_view key) const { return kappa::checksum(key); }
};

using counts_by_key =
    boost::unordered_flat_map<kappa::bytes, std::int64_t, key_hash, std::equal_to<>>;

/// Gives the new count.
inline std::int64_t count_one(counts_by_key& counts, kappa::bytes_view key) {
  const auto it = counts.find(key);
  if (it != counts.end()) return ++it->second;
  counts.emplace(key, 1);
  return 1;
}

}  // namespace bench
