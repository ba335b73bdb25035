// The types of a .capnp file, as records and states of an app are made of them. Cap'n Proto's
// compiler reads the file (capnp, looked for in PATH), the generator's own reader what it says.
//
// Threading: the main thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kappa/core/error.hpp"
#include "kappa/core/schema_info.hpp"

namespace kappa::tools {

/// What a struct says that it is.
enum class type_role { plain, command, event, former_event };

struct schema_type {
  schema_info schema;
  type_role role = type_role::plain;
  std::string protocol;    // of those that are not plain
  std::string key;         // the field that is $Kappa.key; empty: none
  std::string event_time;  // the field that is $Kappa.eventTime; empty: none
  bool is_a_part = false;  // another struct of the file has it
  /// "Withdrawn" of "bank.capnp:Withdrawn".
  [[nodiscard]] std::string name() const { return schema.name.substr(schema.name.find(':') + 1); }
};

/// Of each struct of the file. errc::not_found: there is no such file, or no compiler;
/// errc::bad_config: it does not compile, in the compiler's words, or Kappa has no use for it.
/// `imports`: where imports that begin with "/" are looked for, beside Kappa's own.
[[nodiscard]] result<std::vector<schema_type>> read_schema_types(
    const std::filesystem::path& file, const std::vector<std::string>& imports);

}  // namespace kappa::tools
