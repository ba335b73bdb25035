#include "kappa/log/check.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "lmdb/file_snapshot.hpp"
#include "log/check_reader.hpp"
#include "log/frame.hpp"
#include "log/log_file.hpp"
#include "log/log_tables.hpp"

namespace kappa {

namespace {

using detail::log_tables;
using detail::partition_id;
using detail::partition_meta;

class log_check {
 public:
  log_check(const log_check_options& options, lmdb::file_snapshot& snapshot)
      : options_{options}, snapshot_{snapshot} {}

  [[nodiscard]] result<log_check_report> run();

 private:
  struct partition_walk {
    topic_partition where;
    partition_id id = 0;
    std::uint64_t seed = 0;
    partition_meta meta;
    offset expected;  // the next frame's first
    timestamp max_time = kappa::min_time;
    std::uint64_t size_bytes = 0;
    std::uint64_t frames = 0;
    std::vector<std::pair<timestamp, offset>> index;  // of the time index, by offset
    std::size_t next_index = 0;
    bool whole = true;  // in one view, from its first frame on
  };

  void report(std::string subject, std::string what, std::optional<offset_range> range = {}) {
    out_.damages.push_back({std::move(subject), std::move(what), std::move(range)});
  }
  void report(offset_range range, std::string what) {
    auto subject = range.text();
    report(std::move(subject), std::move(what), std::move(range));
  }
  void report_file();
  [[nodiscard]] result<void> check_topics();
  void check_lost_topics();
  void check_unknown_trees();
  [[nodiscard]] result<void> check_frames(partition_walk& p);
  [[nodiscard]] bool take_frame(partition_walk& p, const lmdb::tree_entry& e);
  void take_time(partition_walk& p, const detail::frame_header& h);
  void finish(partition_walk& p);
  void check_positions();
  void check_producers();
  void missing(const partition_walk& p, offset end, std::string_view why);

  const log_check_options& options_;
  lmdb::file_snapshot& snapshot_;
  log_tables tables_;
  log_check_report out_;
  bytes value_;
  std::uint64_t since_look_ = 0;
};

void log_check::report_file() {
  const auto path = snapshot_.file().path().string();
  for (const auto& f : snapshot_.faults()) report(path, f);
  for (const auto& f : snapshot_.tree_faults()) {
    const auto range = f.low.empty() ? std::string{} : fmt::format(" (at {})", printable(f.low));
    report(path, fmt::format("the list of databases: {}{}", f.what, range));
  }
  if (snapshot_.lost_last_transaction()) {
    report(path, "what the last transaction wrote cannot be found any more");
  }
}

result<log_check_report> log_check::run() {
  report_file();
  const auto path = snapshot_.file().path().string();
  const auto before = out_.damages.size();
  tables_ = detail::read_tables(snapshot_, out_.damages);
  if (before == 0 && !snapshot_.trees().contains(detail::table::meta)) {
    return fail(errc::incompatible, path, "holds something else than a log");
  }
  if (tables_.format && *tables_.format != detail::embedded_format) {
    return fail(errc::incompatible, path,
                fmt::format("a log of format {}; this Kappa reads format {}", *tables_.format,
                            detail::embedded_format));
  }
  if (!tables_.format) report(path, "its format is missing");
  if (tables_.id.empty()) report(path, "its id is missing");
  out_.log_id = tables_.id;
  out_.last_transaction = snapshot_.meta().transaction;
  check_lost_topics();
  if (auto ok = check_topics(); !ok) return fail(ok.error());
  check_positions();
  check_producers();
  out_.writers = tables_.apps.size();
  for (const auto& [app, stored] : tables_.apps) {
    if (stored.term.value == 0) report("app " + app, "its writer has term 0, which none can have");
  }
  if (!out_.changed_meanwhile) {
    check_unknown_trees();
    const auto account = snapshot_.account();
    out_.pages = account.used;
    out_.free_pages = account.free;
    for (const auto& f : account.faults) report(path, f);
  }
  out_.positions = std::move(tables_.positions);
  return std::move(out_);
}

result<void> log_check::check_topics() {
  std::map<std::uint32_t, std::string> numbers;
  for (const auto& [name, topic] : tables_.topics) {
    ++out_.topics;
    if (!numbers.emplace(topic.number, name).second) {
      report(name,
             fmt::format("has number {}, as topic {} has", topic.number, numbers.at(topic.number)));
    }
    for (std::int32_t n = 0; n < topic.config.partitions; ++n) {
      ++out_.partitions;
      partition_walk p;
      p.where = {name, partition{n}};
      p.id = detail::make_partition_id(topic.number, p.where.partition);
      p.seed = detail::frame_seed(p.where);
      if (options_.progress) options_.progress(p.where.text());
      const auto meta = tables_.partitions.find(p.id);
      if (meta == tables_.partitions.end()) {
        report(p.where.text(), "its bounds are missing");
        continue;
      }
      p.meta = meta->second;
      if (auto ok = check_frames(p); !ok) return ok;
      out_.bounds.emplace(p.where, partition_bounds{p.meta.earliest, p.meta.latest});
    }
  }
  return {};
}

// Before anything is renewed: a topic may be made meanwhile.
void log_check::check_lost_topics() {
  auto lost = detail::find_lost_topics(tables_, snapshot_);
  // Those whose entry is there, and was told of as damaged.
  for (const auto& [name, stored] : tables_.doubtful_topics) {
    if (const auto guess = detail::guess_topic(name, stored)) lost.numbers.erase(guess->number);
  }
  for (const auto& [number, partitions] : lost.numbers) {
    report(fmt::format("(topic number {})", number),
           partitions == 0
               ? std::string{"nothing is left of the topic, not even its name"}
               : fmt::format("the topic's name and settings are lost; it has {} partitions",
                             partitions));
  }
  if (lost.more != 0) {
    report(detail::table::topics, detail::text_of_more(lost));
  }
}

void log_check::check_unknown_trees() {
  for (const auto& [name, tree] : snapshot_.trees()) {
    // Frames of topics without settings were told of with their topic.
    const bool known = detail::parse_frames_name(name) || name.starts_with("log.");
    if (!known) report(name, "a database that no log has");
  }
}

void log_check::missing(const partition_walk& p, offset end, std::string_view why) {
  report({p.where.topic, p.where.partition, p.expected, end}, std::string{why});
}

result<void> log_check::check_frames(partition_walk& p) {
  for (const auto& [time, first] : tables_.times[p.id]) p.index.emplace_back(time, first);
  std::sort(p.index.begin(), p.index.end(),
            [](const auto& a, const auto& b) { return a.second < b.second; });
  p.expected = p.meta.earliest;
  bytes from;
  for (bool ended = false; !ended;) {
    const auto tree = snapshot_.trees().find(
        detail::frames_name(static_cast<std::uint32_t>(p.id >> 32), p.where.partition));
    if (tree == snapshot_.trees().end()) {
      report(p.where.text(), "the partition's database is missing");
      break;
    }
    ended = true;
    since_look_ = 0;
    snapshot_.walk(
        tree->second, from,
        [&](const lmdb::tree_entry& e) {
          if (e.carved) return true;
          if (!take_frame(p, e)) return true;
          if (since_look_ < options_.view_bytes) return true;
          since_look_ = 0;
          if (options_.progress) {
            options_.progress(fmt::format("{}@{}", p.where.text(), p.expected));
          }
          ended = !snapshot_.moved();
          return ended;
        },
        [&](const lmdb::tree_fault& f) { report(detail::range_of(f, p.where), f.what); });
    if (ended) break;
    // An old view would keep pages from being used again: go on in a new one.
    if (auto ok = snapshot_.renew(); !ok) return ok;
    out_.changed_meanwhile = true;
    p.whole = false;
    from = detail::offset_key(p.expected);
    if (const auto meta = detail::read_partition(snapshot_, p.id)) p.meta = *meta;
    p.expected = std::max(p.expected, p.meta.earliest);
  }
  finish(p);
  return {};
}

/// True when a frame was read.
bool log_check::take_frame(partition_walk& p, const lmdb::tree_entry& e) {
  const auto key = read_ordered(e.key);
  if (!key || e.key.size() != 8) {
    report(p.where.text(), fmt::format("an entry's key is no offset: {}", printable(e.key)));
    return false;
  }
  const offset at{*key};
  since_look_ += e.value_bytes;
  p.size_bytes += e.value_bytes;
  const auto subject = fmt::format("{}@{}", p.where.text(), at);
  const offset_range here{p.where.topic, p.where.partition, at, at + 1};
  if (!snapshot_.read_value(e, value_)) {
    report(subject, "its frame cannot be read", here);
    return false;
  }
  const auto h = detail::check_frame(value_, p.seed, p.where, at);
  if (!h) {
    report(subject, h.error().message, here);
    return false;
  }
  if (at < p.expected) {
    report(subject, fmt::format("offsets overlap: {} was expected", p.expected), here);
    return false;
  }
  if (at > p.expected) missing(p, at, "these offsets are missing");
  p.expected = offset{h->last + 1};
  take_time(p, *h);
  if (h->is_gap()) {
    out_.gaps.push_back({p.where.topic, p.where.partition, offset{h->first}, p.expected});
    return true;
  }
  ++p.frames;
  ++out_.frames;
  out_.records += h->count;
  out_.frame_bytes += e.value_bytes;
  return true;
}

void log_check::take_time(partition_walk& p, const detail::frame_header& h) {
  for (; p.next_index < p.index.size() && p.index[p.next_index].second.value <= h.first;
       ++p.next_index) {
    const auto& [time, first] = p.index[p.next_index];
    // Retention may have gone on since the index was read.
    if (first < p.meta.earliest) continue;
    if (first.value != h.first) {
      report({p.where.topic, p.where.partition, first, first + 1},
             "the time index points here, where no frame begins");
    } else if (time < p.max_time) {
      report({p.where.topic, p.where.partition, first, first + 1},
             fmt::format("the time index says that what is before it is at most {}, it is {}",
                         format_time(time), format_time(p.max_time)));
    }
  }
  if (!h.is_gap()) p.max_time = std::max(p.max_time, timestamp{milliseconds{h.max_time_ms}});
}

void log_check::finish(partition_walk& p) {
  if (p.expected < p.meta.latest) missing(p, p.meta.latest, "these offsets are missing");
  if (p.expected > p.meta.latest) {
    report(p.where.text(),
           fmt::format("its frames end at {}, its bounds say {}", p.expected, p.meta.latest));
  }
  if (p.meta.earliest > p.meta.latest || p.meta.earliest.value < 0) {
    report(p.where.text(), fmt::format("its bounds are {} to {}", p.meta.earliest, p.meta.latest));
  }
  if (!p.whole) return;
  if (p.size_bytes != p.meta.size_bytes) {
    report(p.where.text(), fmt::format("its frames have {} bytes, its bounds say {}", p.size_bytes,
                                       p.meta.size_bytes));
  }
  if (p.max_time > p.meta.max_time) {
    report(p.where.text(), fmt::format("its latest record is of {}, its bounds say {}",
                                       format_time(p.max_time), format_time(p.meta.max_time)));
  }
  if (p.next_index < p.index.size() && p.index[p.next_index].second >= p.meta.latest) {
    report(p.where.text(), fmt::format("the time index points to {}, behind the end",
                                       p.index[p.next_index].second));
  }
}

void log_check::check_positions() {
  for (const auto& [key, position] : tables_.positions) {
    const auto bounds = out_.bounds.find({key.input, key.task});
    // The place of a source is its own business.
    if (bounds == out_.bounds.end()) {
      if (position.next.value < 0) report("the position " + key.text(), "is below zero");
      continue;
    }
    if (position.next <= bounds->second.latest && position.next.value >= 0) continue;
    report("the position " + key.text(),
           fmt::format("is {}, but {} ends at {}", position.next, bounds->first.text(),
                       bounds->second.latest),
           offset_range{key.input, key.task, position.next, position.next + 1});
  }
}

void log_check::check_producers() {
  out_.producers = tables_.producers.size();
  for (const auto& [key, stored] : tables_.producers) {
    const auto name = tables_.name_of(key.first);
    const auto subject = fmt::format("{} producer {}", name, printable(key.second));
    const auto meta = tables_.partitions.find(key.first);
    if (name.front() == '(' || meta == tables_.partitions.end()) {
      report(subject, "belongs to no partition");
    } else if (stored.base.value < 0 || stored.base >= meta->second.latest) {
      report(subject, fmt::format("its last append was at {}, but the partition ends at {}",
                                  stored.base, meta->second.latest));
    }
  }
}

}  // namespace

result<log_check_report> check_log(const log_check_options& options) {
  for (int attempt = 1;; ++attempt) {
    auto snapshot = detail::open_log_file({options.folder});
    if (!snapshot) return fail(snapshot.error());
    auto report = log_check{options, **snapshot}.run();
    if (!report) return report;
    if (!report->healthy() && !(*snapshot)->pinned() && (*snapshot)->moved()) {
      // Pages were used again while they were read: that may be all that is wrong.
      if (attempt < lmdb::unpinned_attempts) continue;
      return fail(errc::unavailable, options.folder.string(),
                  "it is being written, and its lock file may not be written by this user: run as "
                  "the user who writes it, or stop the writer",
                  true);
    }
    if (!options.reader.empty()) {
      if (options.progress) options.progress("a second process reads it");
      auto found = detail::read_in_second_process(options);
      if (!found) return fail(found.error());
      // What the pages had shown already is not told twice.
      const auto known = report->damages;
      for (auto& d : *found) {
        const bool told = std::any_of(known.begin(), known.end(), [&](const damage& k) {
          return d.what.find(k.subject) != std::string::npos;
        });
        if (!told) report->damages.push_back(std::move(d));
      }
    }
    return report;
  }
}

}  // namespace kappa
