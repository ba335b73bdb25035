// What every benchmark of the table shares: where it may write, how large it is, where its rows go.
//
// Threading: the main thread. Errors: a benchmark that cannot go on throws; nothing is skipped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "kappa/core/error.hpp"
#include "report.hpp"

namespace bench {

struct context {
  std::filesystem::path folder;  // of this benchmark, empty, removed afterwards
  /// Tiny sizes: shows that everything runs, the figures mean nothing.
  bool quick = false;
  report& out;

  [[nodiscard]] std::int64_t size(std::int64_t full) const {
    return quick ? std::max<std::int64_t>(full / 200, 1000) : full;
  }
  [[nodiscard]] int rounds(int full) const { return quick ? 1 : full; }
};

struct benchmark {
  std::string name;
  std::function<void(context&)> run;
};

[[nodiscard]] std::vector<benchmark> append_benchmarks();
[[nodiscard]] std::vector<benchmark> stream_benchmarks();
[[nodiscard]] std::vector<benchmark> state_benchmarks();
[[nodiscard]] std::vector<benchmark> size_benchmarks();
[[nodiscard]] std::vector<benchmark> command_benchmarks();
[[nodiscard]] std::vector<benchmark> memory_benchmarks();

/// The value, or an exception that says what failed.
template <class T>
T must(kappa::result<T> r) {
  if (!r) throw std::runtime_error{r.error().text()};
  if constexpr (!std::is_void_v<T>) return std::move(*r);
}

}  // namespace bench
