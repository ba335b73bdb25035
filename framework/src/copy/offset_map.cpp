#include "copy/offset_map.hpp"

#include <algorithm>

namespace kappa::detail {

void offset_map::add(offset old_offset, offset new_offset) {
  if (!runs_.empty()) {
    auto& last = runs_.back();
    if (old_offset == last.until && new_offset == last.to + (old_offset - last.from)) {
      ++last.until;
      return;
    }
  }
  runs_.push_back({old_offset, old_offset + 1, new_offset});
}

std::optional<offset> offset_map::record(offset old_offset) const {
  const auto behind = std::upper_bound(runs_.begin(), runs_.end(), old_offset,
                                       [](offset at, const run& r) { return at < r.from; });
  if (behind == runs_.begin()) return std::nullopt;
  const auto& r = *std::prev(behind);
  if (old_offset >= r.until) return std::nullopt;
  return r.to + (old_offset - r.from);
}

offset offset_map::position(offset old_position) const {
  const auto behind = std::lower_bound(runs_.begin(), runs_.end(), old_position,
                                       [](const run& r, offset at) { return r.from < at; });
  if (behind == runs_.begin()) return first_;
  const auto& r = *std::prev(behind);
  return r.to + (std::min(old_position, r.until) - r.from);
}

}  // namespace kappa::detail
