// What the fuzz targets share. A target takes any bytes and ends in one of three ways: it returns,
// `expect` ends the process, or a sanitizer does.
//
// The same target runs under libFuzzer (kappa_fuzz_<name>, entry.cpp) and over its corpus in the
// other builds (corpus_test.cpp).
//
// Threading: one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "kappa/core/bytes.hpp"

namespace kappa::fuzz {

using target_fn = void (*)(bytes_view);

void admin(bytes_view in);
void broken(bytes_view in);  // not among the targets: it has a fault
void capnp(bytes_view in);
void config(bytes_view in);
void csv(bytes_view in);
void dynamic(bytes_view in);
void envelope(bytes_view in);
void epochs(bytes_view in);
void frame(bytes_view in);
void json(bytes_view in);
void pages(bytes_view in);
void state(bytes_view in);

struct target {
  const char* name;
  target_fn run;
};
/// All of them; tests/fuzz/CMakeLists.txt makes a program of each, by the same names.
inline constexpr target targets[] = {
    {"admin", admin},     {"capnp", capnp},       {"config", config}, {"csv", csv},
    {"dynamic", dynamic}, {"envelope", envelope}, {"epochs", epochs}, {"frame", frame},
    {"json", json},       {"pages", pages},       {"state", state},
};

/// A property that holds for all bytes.
inline void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: does not hold: %s\n", what);
  std::abort();
}

/// Takes an input apart, from the front; when it is used up everything is zero or empty.
class script {
 public:
  explicit script(bytes_view in) : rest_{in} {}

  [[nodiscard]] bool more() const { return !rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto b = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return b;
  }
  std::uint64_t number() {
    std::uint64_t v = 0;
    for (int i = 0; i < 8; ++i) v = v << 8 | byte();
    return v;
  }
  /// At most `limit` bytes; how many, the input says.
  bytes_view text(std::size_t limit) {
    const auto n = std::min({std::size_t{byte()}, limit, rest_.size()});
    const auto t = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return t;
  }
  [[nodiscard]] bytes_view rest() const { return rest_; }

 private:
  bytes_view rest_;
};

}  // namespace kappa::fuzz
