// Randomness of a simulation: the same on every machine, from the seed alone.
//
// Threading: one thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kappa::sim {

class dice {
 public:
  explicit dice(std::uint64_t seed)
      : state_{seed * 0x9e3779b97f4a7c15ULL + 0x243f6a8885a308d3ULL} {}

  /// splitmix64.
  std::uint64_t next() {
    auto z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// 0 … n - 1.
  int upto(int n) { return static_cast<int>(next() % static_cast<std::uint64_t>(n)); }
  /// a … b.
  int from_to(int a, int b) { return a + upto(b - a + 1); }
  bool one_in(int n) { return upto(n) == 0; }
  /// 1 … n.
  std::size_t some(int n) { return static_cast<std::size_t>(from_to(1, n)); }
  /// 0 … n - 1, the small ones much more often.
  int skewed(int n) { return upto(upto(n) + 1); }

 private:
  std::uint64_t state_;
};

}  // namespace kappa::sim
