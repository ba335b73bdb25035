#include "actors/state_answer.hpp"

#include <algorithm>
#include <utility>

#include "actors/place_of_events.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/partitioner.hpp"
#include "kappa/stream/window.hpp"

namespace kappa::detail {
namespace {

constexpr std::size_t most_windows = 10'000;

result<partition> task_of(const host& h, const std::string& stage, const bytes& key) {
  const auto all = h.status();
  const auto tasks =
      std::count_if(all.begin(), all.end(), [&](const auto& t) { return t.id.stage == stage; });
  if (tasks == 0) return fail(errc::stopped, stage, "the host does not run", true);
  return partition_of(key, static_cast<std::int32_t>(tasks));
}

void say_as_of(admin::found& out, const read_position& p, partition task) {
  out.stale = p.stale;
  for (std::size_t i = 0; i < p.inputs.size(); ++i)
    out.as_of.push_back({p.inputs[i], p.positions[i].value, task.value});
}

result<admin::found> one(host& h, const stage_spec& stage, admin::found out, const bytes& key,
                         partition task, std::optional<timestamp> window,
                         const query_options& options) {
  auto found =
      h.query_bytes(stage.name, key, window ? window_state_key(key, *window) : key, options);
  if (!found) return fail(found.error());
  say_as_of(out, found->as_of, task);
  if (!found->value) return out;
  auto value = stage.state_json(*found->value);
  if (!value) return fail(value.error());
  out.entries.push_back({window.value_or(timestamp{}), std::move(*value)});
  return out;
}

// Behind the events of an aggregate, "accounts/ann".
result<record_address> place_after(host& h, std::string_view aggregate) {
  const auto slash = aggregate.find('/');
  const auto* const stage = h.topology().find(std::string{aggregate.substr(0, slash)});
  if (slash == std::string_view::npos || stage == nullptr || !stage->aggregate) {
    std::string all;
    for (const auto& s : h.topology().stages()) {
      if (s.aggregate) all += fmt::format("{}{}/KEY", all.empty() ? "" : " or ", s.name);
    }
    return fail(errc::invalid_argument, "after",
                "expected an aggregate of the app, and its key: " +
                    (all.empty() ? "the app has none" : all));
  }
  const auto key = stage->key_from_text(aggregate.substr(slash + 1));
  if (!key) return fail(key.error());
  return end_of_events(h, *stage, *key);
}

result<admin::found> answer(host& h, const state_question& q) {
  auto named = h.topology().find_keyed(q.stage);
  if (!named) return fail(named.error());
  const auto& stage = **named;
  if (q.window && !stage.windowed)
    return fail(errc::invalid_argument, "window", "the stage has no windows");
  auto key = stage.key_from_text(q.key);
  if (!key) return fail(key.error());
  const auto task = task_of(h, q.stage, *key);
  if (!task) return fail(task.error());
  admin::found out;
  out.stage = q.stage;
  out.key = q.key;
  out.windowed = stage.windowed;
  if (!stage.windowed) return one(h, stage, std::move(out), *key, *task, std::nullopt, q.options);
  if (q.window) {
    const auto start = parse_time(*q.window);
    if (!start) {
      return fail(errc::invalid_argument, "window", "expected a time, 2001-01-01T08:00:00Z");
    }
    return one(h, stage, std::move(out), *key, *task, *start, q.options);
  }
  bytes from;
  append_ordered(from, *key);
  bytes to = from;
  to.back() = '\x02';
  auto found = h.query_range(q.stage, *key, from, to, most_windows, q.options);
  if (!found) return fail(found.error());
  say_as_of(out, found->as_of.front(), *task);
  for (const auto& e : found->entries) {
    const auto parts = split_window_state_key(e.key);
    auto value = stage.state_json(e.value);
    if (!value) return fail(value.error());
    out.entries.push_back({parts ? parts->start : timestamp{}, std::move(*value)});
  }
  return out;
}

}  // namespace

result<admin::found> answer_state(host& h, const state_question& q) {
  if (!q.after) return answer(h, q);
  const auto place = place_after(h, *q.after);
  if (!place) return fail(place.error());
  auto at_least = q;
  at_least.options.at_least = *place;
  return answer(h, at_least);
}

}  // namespace kappa::detail
