// What the JSON of a type looks like, as JSON Schema (2020-12, which OpenAPI 3.1 has), made from
// the description that a schema carries.
//
//   kappa::json_schemas schemas{"#/components/schemas/"};
//   schemas.of(codec<deposit>::schema())    // {"$ref":"#/components/schemas/bank.capnp.Deposit"}
//   schemas.named()                         // … what that refers to
//
// Threading: one thread. Ownership: plain values.
#pragma once

#include <map>
#include <string>

#include "kappa/core/schema_info.hpp"

namespace kappa {

class json_schemas {
 public:
  /// `prefix`: of references, before a name.
  explicit json_schemas(std::string prefix) : prefix_{std::move(prefix)} {}

  /// Structs are put among the named ones, and referred to. `true`, which is anything, for a type
  /// with a codec of the user's own.
  [[nodiscard]] std::string of(const schema_info& type);
  /// Schemas by name: [A-Za-z0-9._-]+. (Of two structs with one name the first is told.)
  [[nodiscard]] const std::map<std::string, std::string>& named() const { return named_; }

 private:
  std::string prefix_;
  std::map<std::string, std::string> named_;
};

}  // namespace kappa
