#include "kappa/task/input_clock.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace kappa {

input_clock input_clock::outside() {
  input_clock c;
  c.channels_.emplace_back();
  return c;
}

input_clock input_clock::internal(const std::vector<upstream>& writers) {
  input_clock c;
  c.outside_ = false;
  for (const auto& w : writers) {
    for (std::int32_t t = 0; t < w.tasks; ++t)
      c.channels_.push_back({w.stage, partition{t}, state::unseen, min_time, {}});
    for (const auto& origin : w.through_hops)
      c.carriers_[origin] += static_cast<std::size_t>(w.tasks);
    for (const auto& origin : w.read) {
      if (!w.through_hops.contains(origin)) ++c.carriers_[origin];
    }
  }
  return c;
}

bool input_clock::observe_outside(timestamp event_time) {
  auto& only = channels_.front();
  if (only.state == state::ended) return false;
  if (only.state == state::live && event_time <= only.watermark) return false;
  only.state = state::live;
  only.watermark = std::max(only.watermark, event_time);
  return true;
}

result<void> input_clock::observe(const marker& m) {
  const auto at = std::find_if(channels_.begin(), channels_.end(), [&](const channel& c) {
    return c.task == m.task && c.stage == m.stage;
  });
  if (at == channels_.end()) {
    return fail(
        errc::incompatible, fmt::format("marker of {}[{}]", m.stage, m.task.value),
        "it is not one of the tasks that write this topic; was the partition count changed?");
  }
  at->watermark = std::max(at->watermark, m.watermark);
  at->through = m.through;
  switch (m.kind) {
    case marker_kind::watermark:
      at->state = state::live;
      break;
    case marker_kind::idle:
      at->state = state::idle;
      break;
    case marker_kind::end:
      at->state = state::ended;
      break;
  }
  return {};
}

void input_clock::set_idle() {
  if (channels_.front().state != state::ended) channels_.front().state = state::idle;
}

void input_clock::advance(timestamp t) {
  auto& only = channels_.front();
  if (!outside_ || only.state == state::ended) return;
  only.state = state::live;
  only.watermark = std::max(only.watermark, t);
}

void input_clock::set_end() { channels_.front().state = state::ended; }

std::optional<timestamp> input_clock::watermark() const {
  std::optional<timestamp> least;
  for (const auto& c : channels_) {
    if (c.state == state::idle || c.state == state::ended) continue;
    const auto mark = c.state == state::unseen ? min_time : c.watermark;
    least = least ? std::min(*least, mark) : mark;
  }
  return least;
}

bool input_clock::ended() const {
  return std::all_of(channels_.begin(), channels_.end(),
                     [](const channel& c) { return c.state == state::ended; });
}

bool input_clock::idle() const { return !watermark().has_value() && !ended(); }

through_map input_clock::through() const {
  through_map least;
  std::map<topic_partition, std::size_t> told;
  for (const auto& c : channels_) {
    for (const auto& [origin, next] : c.through) {
      const auto [at, added] = least.try_emplace(origin, next);
      if (!added) at->second = std::min(at->second, next);
      ++told[origin];
    }
  }
  std::erase_if(least, [&](const auto& one) {
    const auto wanted = carriers_.find(one.first.topic);
    return wanted != carriers_.end() && told.at(one.first) < wanted->second;
  });
  return least;
}

void input_clock::encode(byte_writer& out) const {
  out.put(std::int64_t{largest_.time_since_epoch().count()});
  out.put(static_cast<std::uint32_t>(channels_.size()));
  for (const auto& c : channels_) {
    out.put(c.state).put(std::int64_t{c.watermark.time_since_epoch().count()});
    kappa::encode(c.through, out);
  }
}

bool input_clock::decode(byte_reader& in) {
  largest_ = timestamp{milliseconds{in.get<std::int64_t>()}};
  if (in.get<std::uint32_t>() != channels_.size()) return false;
  for (auto& c : channels_) {
    c.state = in.get<state>();
    c.watermark = timestamp{milliseconds{in.get<std::int64_t>()}};
    c.through = decode_through(in);
    if (c.state > state::ended) return false;
  }
  return in.ok();
}

}  // namespace kappa
