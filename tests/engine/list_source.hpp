// A source in memory: rows that a test adds.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/small_types.hpp"
#include "kappa/stream/app.hpp"

namespace engine_test {

struct source_rows {
  std::vector<kappa::bytes> rows;
  bool ended = false;
  void add(const reading& r) { rows.push_back(kappa::encoded(r)); }
};

class list_reader final : public kappa::record_source {
 public:
  explicit list_reader(std::shared_ptr<source_rows> rows) : rows_{std::move(rows)} {}

  kappa::result<void> open(const std::optional<kappa::bytes>& place) override {
    if (place) next_ = std::stoul(*place);
    return {};
  }
  kappa::result<std::optional<kappa::source_row>> next() override {
    if (next_ == rows_->rows.size()) return std::optional<kappa::source_row>{};
    ++next_;
    return std::optional{kappa::source_row{rows_->rows[next_ - 1], next_}};
  }
  bool at_end() const override { return rows_->ended && next_ == rows_->rows.size(); }
  kappa::bytes place() const override { return std::to_string(next_); }
  const std::string& name() const override { return name_; }
  kappa::source_progress progress() const override { return {next_, 0, 0}; }

 private:
  std::shared_ptr<source_rows> rows_;
  std::size_t next_ = 0;
  std::string name_ = "list";
};

[[nodiscard]] inline kappa::source_of<reading> list_source(std::shared_ptr<source_rows> rows) {
  return {[rows] { return std::make_unique<list_reader>(rows); },
          [](kappa::bytes_view row) { return kappa::codec<reading>::decode(row); }};
}

}  // namespace engine_test
