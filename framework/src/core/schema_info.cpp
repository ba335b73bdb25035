#include "kappa/core/schema_info.hpp"

#include <fmt/format.h>

namespace kappa {

result<void> check_readable(const schema_info& present, const schema_info& stored, read_as as) {
  if (present.can_read != nullptr) return present.can_read(present, stored, as);
  if (present.name == stored.name && present.description == stored.description) return {};
  return fail(errc::incompatible, present.name,
              fmt::format("only an equal schema can be read: stored is '{}' ({}), present is '{}' "
                          "({})",
                          stored.name, stored.description, present.name, present.description));
}

}  // namespace kappa
