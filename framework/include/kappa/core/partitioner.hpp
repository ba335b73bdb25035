// Which partition a key belongs to: murmur2 as Kafka's Java producer computes it, so that records
// written by others are co-partitioned with ours.
#pragma once

#include <cstdint>

#include "kappa/core/bytes.hpp"
#include "kappa/core/strong.hpp"

namespace kappa {

/// Murmur2, 32 bits, seed 0x9747b28c (A. Appleby; the variant of Kafka's Java client).
[[nodiscard]] std::uint32_t murmur2(bytes_view key);

/// Java's default partitioner for a record with a key.
[[nodiscard]] inline partition partition_of(bytes_view key, std::int32_t partitions) {
  return partition{static_cast<std::int32_t>((murmur2(key) & 0x7fffffffU) %
                                             static_cast<std::uint32_t>(partitions))};
}

}  // namespace kappa
