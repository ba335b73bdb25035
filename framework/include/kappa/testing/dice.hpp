// Random choices for tests, the same on every machine for the same seed.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>
#include <stdexcept>

namespace kappa::testing {

class dice {
 public:
  explicit dice(std::uint64_t seed) : random_{seed} {}

  /// least … most, each as likely. (The library's distributions differ from one to the next.)
  /// Throws std::invalid_argument where there is none.
  [[nodiscard]] std::int64_t number(std::int64_t least, std::int64_t most) {
    if (least > most) throw std::invalid_argument{"dice: least is more than most"};
    const auto n = static_cast<std::uint64_t>(most) - static_cast<std::uint64_t>(least) + 1;
    const auto drawn = n == 0 ? random_() : random_() % n;
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(least) + drawn);
  }
  /// Whether something of this probability happens.
  [[nodiscard]] bool chance(double probability) {
    return static_cast<double>(random_() >> 11) * 0x1p-53 < probability;
  }
  template <class T>
  [[nodiscard]] T one_of(std::initializer_list<T> all) {
    return *(all.begin() + number(0, static_cast<std::int64_t>(all.size()) - 1));
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace kappa::testing
