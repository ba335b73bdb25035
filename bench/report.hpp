// The table of aim, reached, limit; as text for people, as JSON for machines.
//
// Threading: one thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace bench {

enum class aim_kind { none, at_least, at_most };

struct row {
  std::string benchmark;
  std::string what;
  aim_kind kind = aim_kind::none;
  double aim = 0;
  /// Median; a share of the ceiling in per cent when `unit` is "%".
  double reached = 0;
  double least = 0;
  double most = 0;
  std::string unit;
  /// The figures behind it: the engine's and the ceiling's.
  std::string figures{};
  /// By CPU time of the thread alone, per cent of the ceiling: does not move with the machine's
  /// load.
  std::optional<double> by_cpu_time{};

  [[nodiscard]] bool missed() const {
    return (kind == aim_kind::at_least && reached < aim) ||
           (kind == aim_kind::at_most && reached > aim);
  }
};

class report {
 public:
  void add(row r) { rows_.push_back(std::move(r)); }
  [[nodiscard]] const std::vector<row>& rows() const { return rows_; }
  [[nodiscard]] std::string text() const;
  /// One object: machine, rows.
  [[nodiscard]] std::string json(const struct machine& m) const;

 private:
  std::vector<row> rows_;
};

/// What the figures came from.
struct machine {
  std::string processor;
  unsigned cores = 0;
  double memory_gib = 0;
  std::string kernel;
  std::string file_system;
  double load = 0;  // other processes' too, at the start
  std::string build;

  [[nodiscard]] static machine look(const std::string& folder);
  [[nodiscard]] std::string text() const;
};

}  // namespace bench
