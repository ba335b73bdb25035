// libFuzzer's entry for one target: KAPPA_FUZZ_TARGET is its name.

#include <cstddef>
#include <cstdint>

#include "fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kappa::fuzz::KAPPA_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
