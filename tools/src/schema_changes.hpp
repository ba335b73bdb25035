// What has changed from one version of a schema to the next, for what is in logs and states.
//
// Threading: plain values.
#pragma once

#include <string>
#include <vector>

#include "schema_types.hpp"

namespace kappa::tools {

struct schema_change {
  std::string type;  // of the new version, where it has it
  std::string why;   // names the field
};

struct schema_changes {
  /// The new version cannot read what the old one wrote, or misreads it.
  std::vector<schema_change> breaking;
  /// It can, but the old one cannot read what the new one writes.
  std::vector<schema_change> one_way;
};

[[nodiscard]] schema_changes compare_schemas(const std::vector<schema_type>& was,
                                             const std::vector<schema_type>& is);

}  // namespace kappa::tools
