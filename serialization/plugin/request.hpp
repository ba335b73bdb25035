// What Cap'n Proto's compiler tells its plug-ins, as the model.
//
// Ownership: the models point into it. Threading: one thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model.hpp"

namespace kappa::plugin {

class compiled_schema {
 public:
  /// `folder`: where the files on the compiler's command line are; empty: messages have no line
  /// numbers. Throws refusal, also for bytes that are no request.
  compiled_schema(std::string_view request, const std::string& folder);
  ~compiled_schema();
  compiled_schema(const compiled_schema&) = delete;
  compiled_schema& operator=(const compiled_schema&) = delete;

  /// Those of the command line, in its order.
  [[nodiscard]] const std::vector<file_model>& files() const;

 private:
  struct inside;
  std::unique_ptr<inside> in_;
};

}  // namespace kappa::plugin
