#include "kappa/core/schema_info.hpp"

#include <fmt/format.h>

namespace kappa {

result<void> check_readable(const schema_info& present, const schema_info& stored, reading as) {
  if (present.can_read) return present.can_read(present, stored, as);
  if (present.name == stored.name && present.description == stored.description) return {};
  return fail(errc::incompatible, present.name,
              fmt::format("the stored data is of type {}, which {} cannot read: keep the type, or build a "
                          "new generation from the log",
                          stored.name, present.name));
}

}  // namespace kappa
