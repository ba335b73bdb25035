#include "selection.hpp"

#include <algorithm>
#include <deque>

#include <fmt/format.h>

#include "command_line.hpp"
#include "follow.hpp"
#include "job.hpp"
#include "kappa/core/parse_number.hpp"

namespace kappa::tools {
namespace {

struct start {
  kappa::partition partition;
  offset at;
  partition_bounds bounds;
};

result<offset> start_of(event_log& log, const topic_partition& tp, const partition_bounds& bounds,
                        const std::string& from) {
  if (from == "earliest") return bounds.earliest;
  if (from == "latest") return bounds.latest;
  std::int64_t number = 0;
  if (parse_number(from, number) && number >= 0) {
    return std::clamp(offset{number}, bounds.earliest, bounds.latest);
  }
  if (const auto t = parse_time(from)) return log.offset_for_time(tp, *t);
  return fail(errc::bad_config, "--from",
              fmt::format("expected earliest, latest, an offset, or a time like "
                          "2001-01-01T08:00:00Z, not {}",
                          from));
}

result<std::vector<start>> starts_of(event_log& log, const selection& what) {
  auto config = find_topic(log, what.topic);
  if (!config) return fail(config.error());
  if (what.only) {
    auto there = check_partition(what.topic, config->partitions, *what.only);
    if (!there) return fail(there.error());
  }
  std::vector<start> all;
  for (std::int32_t p = 0; p < config->partitions; ++p) {
    if (what.only && *what.only != p) continue;
    const topic_partition tp{what.topic, partition{p}};
    auto bounds = log.bounds(tp);
    if (!bounds) return fail(bounds.error());
    auto at =
        what.from.empty() ? result<offset>{bounds->latest} : start_of(log, tp, *bounds, what.from);
    if (!at) return fail(at.error());
    all.push_back({partition{p}, *at, *bounds});
  }
  return all;
}

// Up to where the topic ended when it was looked at, or on and on.
std::vector<topic_walk::span> spans_of(const std::vector<start>& starts, bool follow) {
  std::vector<topic_walk::span> out;
  for (const auto& s : starts)
    out.push_back({s.partition, s.at, follow ? topic_walk::no_end : s.bounds.latest});
  return out;
}

// Moves the starts back until the last `count` wanted records lie behind them; tells how many more
// than those there are. Looks at twice as many each time: most records may be markers.
result<std::uint64_t> back_up(event_log& log, const selection& what, std::uint64_t count,
                              std::vector<start>& starts) {
  constexpr auto most = std::int64_t{1} << 60;  // more than a partition can have
  for (auto back = static_cast<std::int64_t>(std::min<std::uint64_t>(count, most));; back *= 2) {
    bool whole = true;
    for (std::size_t i = 0; i < starts.size(); ++i) {
      const auto& b = starts[i].bounds;
      starts[i].at = back < b.latest - b.earliest ? b.latest - back : b.earliest;
      whole = whole && starts[i].at == b.earliest;
    }
    auto walk = topic_walk::open(log, what.topic, spans_of(starts, false));
    if (!walk) return fail(walk.error());
    std::uint64_t found = 0;
    for (;;) {
      auto r = walk->next();
      if (!r) return fail(r.error());
      if (!*r) break;
      if (what.wanted((*r)->record)) ++found;
    }
    if (whole || found >= count) return found > count ? found - count : 0;
    if (back >= most) return std::uint64_t{0};
  }
}

}  // namespace

result<topic_config> find_topic(event_log& log, const std::string& name) {
  auto found = log.find_topic(name);
  if (!found) return fail(found.error());
  if (*found) return std::move(**found);
  auto topics = log.topics();
  if (!topics) return fail(topics.error());
  std::vector<std::string> names;
  for (const auto& t : *topics) names.push_back(t.name);
  const auto near = did_you_mean(name, names);
  return fail(errc::not_found, "topic " + name,
              fmt::format("not in {}{}", log.name(),
                          near.empty() ? "; kappa topics lists what is there" : near));
}

int show_records(event_log& log, const selection& what,
                 const std::function<result<bool>(const topic_walk::found&)>& show) {
  std::optional<topic_walk> walk;
  std::optional<follower> following;  // goes before the walk, whose readers it watches
  if (what.follow) following.emplace();
  auto starts = starts_of(log, what);
  if (!starts) return complain(starts.error());
  std::uint64_t skip = 0;
  auto left = what.count;
  if (what.from.empty()) {
    constexpr std::uint64_t usual = 10;
    auto more = back_up(log, what, what.count.value_or(usual), *starts);
    if (!more) return complain(more.error());
    skip = *more;
    left.reset();
  }
  auto opened = topic_walk::open(log, what.topic, spans_of(*starts, what.follow));
  if (!opened) return complain(opened.error());
  walk.emplace(std::move(*opened));
  for (auto* const reader : walk->readers()) {
    if (!following) break;
    auto watched = following->watch(*reader);
    if (!watched) return complain(watched.error());
  }
  while (!left || *left > 0) {
    if (following) {
      if (const auto n = following->look(); n != follower::news::records) return exit_code_of(n);
    }
    auto r = walk->next();
    if (!r) return complain(r.error());
    if (!*r) {
      if (!following) break;
      if (const auto n = following->wait(); n != follower::news::records) return exit_code_of(n);
      continue;
    }
    if (!what.wanted((*r)->record)) continue;
    if (skip > 0) {
      --skip;
      continue;
    }
    auto more = show(**r);
    if (!more) return complain(more.error());
    if (!*more) break;
    if (left) --*left;
  }
  return exit_done;
}

}  // namespace kappa::tools
