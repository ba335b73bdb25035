#include "kappa/core/partitioner.hpp"

namespace kappa {

std::uint32_t murmur2(bytes_view key) {
  constexpr std::uint32_t m = 0x5bd1e995;
  constexpr int r = 24;
  const auto n = static_cast<std::uint32_t>(key.size());
  std::uint32_t h = 0x9747b28cU ^ n;
  std::uint32_t i = 0;
  for (; i + 4 <= n; i += 4) {
    std::uint32_t k = 0;
    std::memcpy(&k, key.data() + i, 4);
    k *= m;
    k ^= k >> r;
    k *= m;
    h *= m;
    h ^= k;
  }
  const auto at = [&](std::uint32_t j) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(key[j]));
  };
  switch (n - i) {
    case 3:
      h ^= at(i + 2) << 16;
      [[fallthrough]];
    case 2:
      h ^= at(i + 1) << 8;
      [[fallthrough]];
    case 1:
      h ^= at(i);
      h *= m;
      break;
    default:
      break;
  }
  h ^= h >> 13;
  h *= m;
  h ^= h >> 15;
  return h;
}

}  // namespace kappa
