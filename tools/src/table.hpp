// Columns for people: as wide as their widest cell; numbers stand to the right.
//
// Threading: plain values.
#pragma once

#include <string>
#include <vector>

namespace kappa::tools {

class text_table {
 public:
  struct column {
    std::string name;
    bool number = false;
  };
  explicit text_table(std::vector<column> columns) : columns_{std::move(columns)} {}

  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// Head and rows, each with a line end.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace kappa::tools
