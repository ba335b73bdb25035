#include "kappa/core/damage.hpp"

#include <fmt/format.h>

namespace kappa {

std::string offset_range::text() const {
  auto out = fmt::format("{}[{}]@{}", topic, partition, from);
  if (!to) return out + "-";
  if (*to > from + 1) out += fmt::format("-{}", to->value - 1);
  return out;
}

}  // namespace kappa
