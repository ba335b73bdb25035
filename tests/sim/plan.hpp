// What a seed simulates: an app, as stages, and the bounds of its tasks. Interpreted twice, by
// `make_app`, which says it in the DSL, and by the model.
//
// Threading: plain values.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/list_source.hpp"
#include "kappa/stream/app.hpp"
#include "kappa/task/task.hpp"
#include "sim/dice.hpp"
#include "sim/item.hpp"

namespace kappa::sim {

enum class op { validate, filter, map, flat_map };
[[nodiscard]] std::string name_of(op o, const std::string& input);

enum class state_kind { none, fold, process, window };
enum class input_kind { outside, source, hop };

struct input_plan {
  input_kind kind{};
  std::string name;     // topic, source or hop
  std::vector<op> ops;  // between it and what the inputs share
};

struct stage_plan {
  std::string name;
  std::vector<input_plan> inputs;
  state_kind state = state_kind::none;
  bool careful = false;  // behind the state: a map that may throw
  std::string hop;       // the hop that it writes
  bool regroup = false;  // by `user::group` instead of the key
  std::string to;        // the public topic that it writes
  milliseconds size{0};  // of a window
  milliseconds lateness{0};
  milliseconds keep{0};
};

struct plan {
  std::uint64_t seed = 0;
  std::int32_t partitions = 1;
  std::vector<stage_plan> stages;    // writers before readers
  std::vector<std::string> outside;  // topics
  bool source = false;
  milliseconds idle_after{0};
  task_limits limits;
};

inline constexpr const char* app_name = "sim";
inline constexpr const char* source_name = "rows";

[[nodiscard]] plan draw_plan(std::uint64_t seed);
[[nodiscard]] std::string describe(const plan& p);

using engine_test::source_rows;
[[nodiscard]] app make_app(const plan& p, std::shared_ptr<source_rows> rows);

}  // namespace kappa::sim
