// Where a declaration stands in its file, for messages. Cap'n Proto's compiler does not tell
// plug-ins, so the file is searched: a guess that is right unless a comment looks like the field.
#pragma once

#include <string>

namespace kappa::plugin {

class source_lines {
 public:
  /// `folder`: where the files on the command line are; empty: messages have no line numbers.
  explicit source_lines(std::string folder) : folder_{std::move(folder)} {}

  /// "flights.capnp:12", or "flights.capnp" when not found. `scope` is "Outer.Inner", `member` a
  /// field's name or empty.
  [[nodiscard]] std::string locate(const std::string& file, const std::string& scope,
                                   const std::string& member) const;

 private:
  std::string folder_;
};

}  // namespace kappa::plugin
