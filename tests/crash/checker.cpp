// What must hold after any kills: nothing lost, nothing doubled, everything as in an undisturbed
// run.
#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "crash/job.hpp"

namespace kappa::crash {
namespace {

constexpr std::size_t most_problems = 8;  // of one kind

std::string shown(const std::string& bytes) {
  std::string out;
  for (const char c : bytes.substr(0, 40)) {
    const auto u = static_cast<unsigned char>(c);
    out += u >= 0x20 && u < 0x7f ? std::string(1, c) : fmt::format("\\x{:02x}", u);
  }
  return out;
}

std::string shown(const raw_record& r) {
  return fmt::format("{} at {}", r.key ? shown(*r.key) : "(no key)", r.time_ms);
}

bool is_epochs(const std::string& topic) { return topic.ends_with(".epochs"); }

// What was asked of the app, and its answers: not of the job's making.
bool is_admin(const std::string& topic) {
  return topic.ends_with(".admin") || topic.ends_with(".admin.replies");
}

// Their records have the time at which they were written; all others have event time.
bool has_wall_clock(const std::string& topic) { return topic.ends_with(".schemas"); }

std::vector<const raw_record*> data_of(const raw_partition& records) {
  std::vector<const raw_record*> data;
  for (const auto& r : records) {
    if (!r.marker()) data.push_back(&r);
  }
  return data;
}

void compare_partition(const std::string& topic, std::size_t partition,
                       const raw_partition& expected, const raw_partition& found,
                       std::vector<std::string>& out) {
  const auto where = fmt::format("{}#{}", topic, partition);
  const auto a = data_of(expected);
  const auto b = data_of(found);
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (a[i]->key == b[i]->key && a[i]->value == b[i]->value &&
        (a[i]->time_ms == b[i]->time_ms || has_wall_clock(topic)))
      continue;
    out.push_back(fmt::format(
        "{}: record {} is {}, expected {}{}", where, i, shown(*b[i]), shown(*a[i]),
        a[i]->key == b[i]->key && a[i]->time_ms == b[i]->time_ms ? " (another value)" : ""));
    return;
  }
  if (a.size() != b.size())
    out.push_back(fmt::format("{}: {} records, expected {}", where, b.size(), a.size()));
}

// One result for each (origin, hour), one for each alert, one dead letter for each bad row.
void check_public(const reference& expected, const raw_log& log, std::vector<std::string>& out) {
  const auto topic = [&](const std::string& name) -> const std::vector<raw_partition>& {
    static const std::vector<raw_partition> none;
    const auto it = log.topics.find(name);
    if (it != log.topics.end()) return it->second;
    out.push_back("no topic " + name);
    return none;
  };
  std::set<std::string> hours;
  for (const auto& p : topic("hourly-delays")) {
    for (const auto& r : p) {  // the key is origin and hour
      if (!hours.insert(r.key.value_or("")).second)
        out.push_back("hourly-delays: twice: " + shown(r));
    }
  }
  std::set<std::string> alerts;
  for (const auto& p : topic("delay-alerts")) {
    for (const auto& r : p) {  // the value has the hour
      if (!alerts.insert(r.key.value_or("") + "\n" + r.value.value_or("")).second) {
        out.push_back("delay-alerts: twice: " + shown(r));
      }
    }
  }
  const auto lines = [](const std::string& csv) {
    return static_cast<std::size_t>(std::count(csv.begin(), csv.end(), '\n'));
  };
  if (hours.size() + 1 != lines(expected.hours))
    out.push_back(fmt::format("hourly-delays: {} results", hours.size()));
  if (alerts.size() + 1 != lines(expected.alerts))
    out.push_back(fmt::format("delay-alerts: {} alerts", alerts.size()));

  auto missing = expected.bad_rows;
  for (const auto& p : topic("flights.dead-letters")) {
    for (const auto& r : p) {
      const auto* position = r.header("kappa.position");
      const auto colon = position == nullptr ? std::string::npos : position->rfind(':');
      const auto row = colon == std::string::npos ? -1 : std::atoll(position->c_str() + colon + 1);
      if (missing.erase(row) == 0)
        out.push_back(fmt::format("dead letters: row {} is twice there or is good", row));
    }
  }
  for (const auto row : missing) out.push_back(fmt::format("dead letters: row {} is missing", row));
}

// Each task was born once; the epochs of the ingest follow each other without gap or overlap.
void check_epochs(const reference& expected, const raw_log& log, std::vector<std::string>& out) {
  for (const auto& [topic, partitions] : log.topics) {
    if (!is_epochs(topic)) continue;
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      const auto births = std::count_if(
          partitions[p].begin(), partitions[p].end(),
          [](const raw_record& r) { return r.value && !r.value->empty() && (*r.value)[0] == 1; });
      if (births != 1) out.push_back(fmt::format("{}#{}: {} birth records", topic, p, births));
    }
    if (topic.find(".ingest.") == std::string::npos) continue;
    std::int64_t at = 0;
    std::uint64_t number = 0;
    for (const auto& r : partitions.at(0)) {
      const auto& v = r.value.value_or("");
      if (v.empty() || v[0] != 2) continue;
      // type, version, number u64, clock i64, code version (u32 size), inputs u32, from i64, to i64
      const auto get = [&](std::size_t from, auto x) {
        if (from + sizeof x > v.size()) return decltype(x){-1};
        std::memcpy(&x, v.data() + from, sizeof x);
        return x;
      };
      const auto after_code = 22 + static_cast<std::size_t>(get(18, std::int32_t{}));
      const auto from = get(after_code + 4, std::int64_t{});
      const auto to = get(after_code + 12, std::int64_t{});
      const auto n = static_cast<std::uint64_t>(get(2, std::int64_t{}));
      if (n != number + 1) out.push_back(fmt::format("{}: epoch {} after {}", topic, n, number));
      if (from != at)
        out.push_back(
            fmt::format("{}: epoch {} begins at row {}, expected {}", topic, n, from, at));
      at = to;
      number = n;
    }
    if (at != expected.rows)
      out.push_back(fmt::format("{}: {} rows read, expected {}", topic, at, expected.rows));
  }
}

void shorten(std::vector<std::string>& problems) {
  if (problems.size() <= most_problems) return;
  const auto more = problems.size() - most_problems;
  problems.resize(most_problems);
  problems.push_back(fmt::format("… and {} more", more));
}

// What of some things differs, in whatever order they are.
struct tally {
  std::size_t missing = 0;
  std::size_t doubled = 0;
  std::size_t changed = 0;
  std::size_t unexpected = 0;

  [[nodiscard]] std::string text() const {
    std::string out;
    for (const auto& [n, what] :
         {std::pair{missing, "missing"}, std::pair{doubled, "doubled"},
          std::pair{changed, "changed"}, std::pair{unexpected, "unexpected"}}) {
      if (n != 0) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", n, what);
    }
    return out;
  }
};

// By identity, then the contents with how often they are expected and how often found.
using contents_count = std::map<std::string, std::pair<std::size_t, std::size_t>>;
using things = std::map<std::string, contents_count>;

tally counted(const things& all) {
  tally t;
  for (const auto& [identity, contents] : all) {
    std::size_t lacking = 0;
    std::size_t foreign = 0;
    for (const auto& [content, n] : contents) {
      const auto [expected, found] = n;
      if (found < expected) lacking += expected - found;
      if (found > expected) (expected == 0 ? foreign : t.doubled) += found - expected;
    }
    const auto changed = std::min(lacking, foreign);
    t.changed += changed;
    t.missing += lacking - changed;
    t.unexpected += foreign - changed;
  }
  return t;
}

tally tally_of(const std::vector<raw_partition>& expected,
               const std::vector<raw_partition>& found) {
  things all;
  const auto put = [&](const std::vector<raw_partition>& partitions, auto which) {
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      for (const auto* r : data_of(partitions[p])) {
        const auto identity =
            fmt::format("{} {} {}", p, r->time_ms, r->key ? "=" + *r->key : std::string{});
        ++(all[identity][r->value ? "=" + *r->value : std::string{}].*which);
      }
    }
  };
  using pair = contents_count::mapped_type;
  put(expected, &pair::first);
  put(found, &pair::second);
  return counted(all);
}

// Lines "key = rest" of a dump, or "origin,hour,rest" of a CSV.
tally tally_of_lines(const std::string& expected, const std::string& found) {
  things all;
  const auto put = [&](std::string_view text, auto which) {
    while (!text.empty()) {
      const auto line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
      auto end = line.find(" = ");
      if (end == std::string_view::npos) end = line.find(',', line.find(',') + 1);
      ++(all[std::string{line.substr(0, end)}][std::string{line}].*which);
    }
  };
  using pair = contents_count::mapped_type;
  put(expected, &pair::first);
  put(found, &pair::second);
  return counted(all);
}

}  // namespace

std::vector<std::string> broken_rules(const reference& expected, const raw_log& log) {
  std::vector<std::string> out;
  check_public(expected, log, out);
  check_epochs(expected, log, out);
  shorten(out);
  return out;
}

std::vector<std::string> log_differences(const raw_log& expected, const raw_log& found) {
  std::vector<std::string> out;
  for (const auto& [topic, partitions] : expected.topics) {
    if (is_epochs(topic) || is_admin(topic)) continue;
    const auto it = found.topics.find(topic);
    if (it == found.topics.end() || it->second.size() != partitions.size()) {
      out.push_back(topic + ": missing, or with other partitions");
      continue;
    }
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      compare_partition(topic, p, partitions[p], it->second[p], out);
    }
  }
  for (const auto& [topic, partitions] : found.topics) {
    if (!expected.topics.contains(topic)) out.push_back(topic + ": not expected");
  }
  shorten(out);
  return out;
}

std::vector<std::string> differences(const reference& expected, const job& found) {
  std::vector<std::string> out;
  try {
    const auto log = read_raw_log(found.log());
    out = broken_rules(expected, log);
    for (auto& d : log_differences(expected.log, log)) out.push_back(std::move(d));
  } catch (const std::exception& e) {
    out.push_back(std::string{"the log cannot be read: "} + e.what());
  }
  if (file_text(found.dump()) != expected.dump) out.emplace_back("the state dump differs");
  if (file_text(found.out() / "hourly-delays.csv") != expected.hours)
    out.emplace_back("hourly-delays.csv differs");
  if (file_text(found.out() / "delay-alerts.csv") != expected.alerts)
    out.emplace_back("delay-alerts.csv differs");
  return out;
}

std::string count_differences(const reference& expected, const job& found) {
  std::string out;
  const auto add = [&](const std::string& what, const std::string& how) {
    if (!how.empty()) out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", what, how);
  };
  try {
    const auto log = read_raw_log(found.log());
    for (const auto& [topic, partitions] : expected.log.topics) {
      if (is_epochs(topic) || is_admin(topic) || has_wall_clock(topic)) continue;
      const auto it = log.topics.find(topic);
      if (it == log.topics.end()) {
        add(topic, "no such topic");
      } else {
        add(topic, tally_of(partitions, it->second).text());
      }
    }
  } catch (const std::exception& e) {
    add("the log cannot be read", e.what());
  }
  add("state", tally_of_lines(expected.dump, file_text(found.dump())).text());
  add("hourly-delays.csv",
      tally_of_lines(expected.hours, file_text(found.out() / "hourly-delays.csv")).text());
  add("delay-alerts.csv",
      tally_of_lines(expected.alerts, file_text(found.out() / "delay-alerts.csv")).text());
  return out;
}

}  // namespace kappa::crash
