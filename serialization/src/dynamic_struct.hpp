// A type that capnpc-kappa generated, from its description: reads a message as the generated code
// does, straight to JSON.
//
// Threading: immutable once made.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"

namespace kappa::detail {

class dynamic_struct {
 public:
  /// Nothing when the description is damaged or of another version.
  [[nodiscard]] static std::shared_ptr<const dynamic_struct> make(std::string description);
  virtual ~dynamic_struct() = default;

  /// Appends an object. False, and what is wrong, when the message is malformed.
  [[nodiscard]] virtual bool to_json(bytes_view message, std::string& out,
                                     std::string& problem) const = 0;
};

}  // namespace kappa::detail
