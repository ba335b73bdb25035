#include "sim/plan.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kappa::sim {

using namespace std::chrono_literals;

std::string name_of(op o, const std::string& input) {
  static constexpr const char* names[] = {"valid", "kept", "mapped", "split"};
  return fmt::format("{}-{}", names[static_cast<int>(o)], input);
}

namespace {

std::vector<op> draw_ops(dice& d) {
  std::vector<op> ops;
  if (d.one_in(2)) ops.push_back(op::validate);
  for (const auto o : {op::filter, op::map, op::flat_map}) {
    if (d.one_in(3)) ops.push_back(o);
  }
  return ops;
}

void draw_state(dice& d, stage_plan& s) {
  s.state = static_cast<state_kind>(d.from_to(1, 3));
  if (s.state == state_kind::fold && d.one_in(2)) s.state = state_kind::window;
  s.careful = d.one_in(2);
  s.to = s.name + "-out";
  if (s.state != state_kind::window) return;
  s.size = milliseconds{60'000} * d.from_to(1, 60);
  s.lateness = d.one_in(2) ? 0ms : milliseconds{d.upto(30 * 60'000)};
  const int keep = d.upto(4);
  s.keep = keep == 0 ? forever : keep == 1 ? 0ms : milliseconds{d.upto(180 * 60'000)};
}

}  // namespace

plan draw_plan(std::uint64_t seed) {
  dice d{seed ^ 0x706c616eULL};
  plan p;
  p.seed = seed;
  p.partitions = d.one_in(3) ? 1 : d.from_to(2, 3);
  p.idle_after = d.one_in(2) ? 0ms : milliseconds{d.from_to(1, 60'000)};

  const auto outside = [&] {
    p.outside.push_back("in-" + std::to_string(p.outside.size() + 1));
    return input_plan{input_kind::outside, p.outside.back(), draw_ops(d)};
  };
  const auto outside_or_source = [&] {
    if (p.source || !d.one_in(4)) return outside();
    p.source = true;
    return input_plan{input_kind::source, source_name, draw_ops(d)};
  };
  // The stage that ends at a hop, named by the hop (one that reads a source: by the source).
  const auto hop = [&](const std::string& name, std::vector<input_plan> from) {
    stage_plan s;
    s.name = from.front().kind == input_kind::source ? from.front().name : name;
    s.inputs = std::move(from);
    s.hop = name;
    p.stages.push_back(std::move(s));
    return input_plan{input_kind::hop, name, {}};
  };

  stage_plan first;
  first.name = "first";
  switch (d.upto(9)) {
    case 0:
      first.inputs = {outside()};
      break;
    case 1:
    case 2:
      first.inputs = {hop("by-key", {outside_or_source()})};
      break;
    case 3:
      first.inputs = {outside(), outside()};
      break;
    case 4: {
      auto a = outside();
      auto b = outside();
      first.inputs = {hop("by-key", {std::move(a), std::move(b)})};
      break;
    }
    case 5:
    case 6: {
      auto a = hop("by-key", {outside_or_source()});
      first.inputs = {std::move(a), hop("by-key-2", {outside()})};
      break;
    }
    case 7: {
      auto a = hop("by-key", {outside_or_source()});
      first.inputs = {std::move(a), outside()};
      break;
    }
    default:
      first.name = "plain-out";
      first.to = "plain-out";
      first.inputs = {outside()};
      if (d.one_in(2)) first.inputs.push_back(outside());
      p.stages.push_back(std::move(first));
      break;
  }
  if (p.stages.empty() || p.stages.back().name != "plain-out") {
    draw_state(d, first);
    const bool second = d.one_in(2);
    if (second) {
      first.hop = "again";
      first.regroup = true;
      if (d.one_in(2)) first.to.clear();
    }
    p.stages.push_back(std::move(first));
    if (second) {
      stage_plan s;
      s.name = "second";
      s.inputs = {{input_kind::hop, "again", {}}};
      draw_state(d, s);
      p.stages.push_back(std::move(s));
    }
  }

  auto& l = p.limits;
  l.commit_interval = milliseconds{d.from_to(1, 500)};
  l.snapshot_interval = milliseconds{d.from_to(1, 5000)};
  l.max_epochs_in_flight = d.some(4);
  l.max_epoch_records = d.some(d.one_in(2) ? 4 : 200);
  l.max_epoch_bytes = d.one_in(2) ? 200u * d.some(20) : l.max_epoch_bytes;
  l.max_dirty_bytes = d.one_in(2) ? 512u * d.some(40) : l.max_dirty_bytes;
  l.cache_bytes = d.one_in(2) ? 64u << 10 : l.cache_bytes;
  l.read_bytes = d.one_in(2) ? d.some(500) : l.read_bytes;
  return p;
}

std::string describe(const plan& p) {
  static constexpr const char* states[] = {"stateless", "fold", "process", "window"};
  std::string out = fmt::format("{} partitions", p.partitions);
  for (const auto& s : p.stages) {
    out += fmt::format("; {}:", s.name);
    for (const auto& in : s.inputs) {
      out += " " + in.name;
      for (const auto o : in.ops) out += "|" + name_of(o, in.name);
    }
    out += fmt::format(" > {}", states[static_cast<int>(s.state)]);
    if (s.state == state_kind::window)
      out += fmt::format(" {}m lateness {}ms keep {}", s.size / 1min, s.lateness.count(),
                         s.keep == forever ? "forever" : std::to_string(s.keep.count()) + "ms");
    if (s.careful) out += " careful";
    if (!s.to.empty()) out += " > " + s.to;
    if (!s.hop.empty()) out += " > hop " + s.hop;
  }
  const auto& l = p.limits;
  return out + fmt::format(
                   "; idle after {} ms; commit {} ms, snapshot {} ms, in flight {}, epoch records "
                   "{}, epoch bytes {}, dirty {}, cache {}, read {}",
                   p.idle_after.count(), l.commit_interval.count(), l.snapshot_interval.count(),
                   l.max_epochs_in_flight, l.max_epoch_records, l.max_epoch_bytes,
                   l.max_dirty_bytes, l.cache_bytes, l.read_bytes);
}

namespace {

stream<item> with_ops(stream<item> s, const input_plan& in) {
  for (const auto o : in.ops) {
    const auto name = name_of(o, in.name);
    switch (o) {
      case op::validate:
        s = s.validate(name, user::valid);
        break;
      case op::filter:
        s = s.filter(name, user::kept);
        break;
      case op::map:
        s = s.map(name, user::mapped);
        break;
      case op::flat_map:
        s = s.flat_map(name, user::split);
        break;
    }
  }
  return s;
}

stream<item> with_state(const keyed_stream<std::string, item>& in, const stage_plan& s) {
  switch (s.state) {
    case state_kind::fold:
      return in.fold<totals>(s.name, user::add)
          .map("result-" + s.name, [](const keyed<std::string, totals>& k) {
            return user::result_of(k.key, timestamp{}, k.value);
          });
    case state_kind::process:
      return in.process<totals>(s.name, user::processed);
    default:
      return in.window(tumbling{s.size}, {.lateness = s.lateness, .keep = s.keep, .late_to = {}})
          .fold<totals>(s.name, user::add)
          .map("result-" + s.name, [](const windowed<std::string, totals>& w) {
            return user::result_of(w.key, w.window.start, w.value);
          });
  }
}

}  // namespace

app make_app(const plan& p, std::shared_ptr<source_rows> rows) {
  app a{app_name};
  std::vector<std::pair<std::string, keyed_stream<std::string, item>>> hops;
  const auto elements = [&](const input_plan& in) {
    if (in.kind == input_kind::source) {
      source_of<item> from{[rows] { return std::make_unique<engine_test::list_reader>(rows); },
                           [](bytes_view row) { return codec<item>::decode(row); }};
      return with_ops(a.source<item>(in.name, std::move(from)), in);
    }
    return with_ops(a.stream<item>(in.name, {.event_time = {}, .idle_after = p.idle_after}), in);
  };
  const auto keyed_elements = [&](const input_plan& in) {
    for (const auto& [name, h] : hops) {
      if (name == in.name) return h;
    }
    return elements(in).already_keyed(&item::key);
  };
  for (const auto& s : p.stages) {
    if (s.state == state_kind::none) {
      auto all = elements(s.inputs.front());
      for (std::size_t i = 1; i < s.inputs.size(); ++i)
        all = all.merge("merge-" + s.name, elements(s.inputs[i]));
      if (!s.hop.empty()) hops.emplace_back(s.hop, all.key_by(s.hop, &item::key));
      if (!s.to.empty()) all.to(s.to);
      continue;
    }
    auto all = keyed_elements(s.inputs.front());
    for (std::size_t i = 1; i < s.inputs.size(); ++i)
      all = all.merge("merge-" + s.name, keyed_elements(s.inputs[i]));
    auto out = with_state(all, s);
    if (s.careful) out = out.map("careful-" + s.name, user::careful);
    if (!s.to.empty()) out.to(s.to);
    if (!s.hop.empty()) hops.emplace_back(s.hop, out.key_by(s.hop, user::group));
  }
  return a;
}

}  // namespace kappa::sim
