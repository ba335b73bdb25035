#include "actors/keyed_stage.hpp"

namespace kappa::detail {

result<const stage_spec*> keyed_stage(const topology& t, const std::string& name) {
  const auto* const stage = t.find(name);
  if (stage != nullptr && stage->state) return stage;
  std::string all;
  for (const auto& s : t.stages()) {
    if (s.state) all += (all.empty() ? "" : ", ") + s.name;
  }
  if (stage == nullptr)
    return fail(errc::not_found, name, "no such stage; stages with state: " + all);
  return fail(errc::invalid_argument, name, "it keeps no state; stages with state: " + all);
}

}  // namespace kappa::detail
