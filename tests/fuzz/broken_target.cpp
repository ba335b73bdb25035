// A decoder with a fault, on purpose: it reads records that nobody has checked. The fuzzer that
// does not find it finds nothing (CMakeLists.txt, fuzz.broken).

#include "fuzz/fuzz.hpp"
#include "kappa/log/record.hpp"

namespace kappa::fuzz {

void broken(bytes_view in) {
  if (in.size() < sizeof(detail::wire_record_head)) return;
  const bytes copy{in};
  record_view r;
  detail::read_record(copy.data(), offset{0}, r);
  std::size_t sum = 0;
  for (const char c : r.value.value_or("")) sum += static_cast<unsigned char>(c);
  expect(sum != 1, "never so: the sum is used");
}

}  // namespace kappa::fuzz
