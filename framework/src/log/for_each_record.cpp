#include "kappa/log/for_each_record.hpp"

#include <algorithm>
#include <optional>

#include "kappa/log/wait_and_read.hpp"

namespace kappa {
namespace {

result<offset> read_up_to(log_reader& reader, offset at, offset until,
                          const std::function<result<bool>(const record_view&)>& f) {
  constexpr std::size_t read_bytes = 64 << 10;  // about a frame: f may want no more
  while (at < until) {
    auto batch = wait_and_read(reader, at, until, read_bytes);
    if (!batch) return fail(batch.error());
    read_batch::cursor records{*batch};
    for (const auto* r = records.peek(); r != nullptr && r->offset < until; r = records.peek()) {
      auto more = f(*r);
      if (!more) return fail(more.error());
      if (!*more) return r->offset + 1;
      records.pop();
    }
    at = batch->next();
  }
  return until;
}

}  // namespace

result<offset> for_each_record(event_log& log, const topic_partition& where, offset from,
                               const std::function<result<bool>(const record_view&)>& f) {
  auto bounds = log.bounds(where);
  if (!bounds) return fail(bounds.error());
  auto end = log.settled_end(where);
  if (!end) return fail(end.error());
  const auto at = std::max(from, bounds->earliest);
  if (at >= *end) return at;
  auto reader = log.open_reader(where);
  if (!reader) return fail(reader.error());
  return read_up_to(**reader, at, *end, f);
}

result<offset> for_each_record(event_log& log, log_reader& reader, offset from,
                               const std::function<result<bool>(const record_view&)>& f) {
  auto bounds = log.bounds(reader.where());
  if (!bounds) return fail(bounds.error());
  const auto at = std::max(from, bounds->earliest);
  // A log that is read over a network fetches from here on, also when there is nothing now; what it
  // has fetched is taken before the end is asked for, so that whatever comes later is told.
  if (auto started = reader.start(at); !started) return fail(started.error());
  if (auto taken = reader.at_hand(); !taken) return fail(taken.error());
  auto end = log.settled_end(reader.where());
  if (!end) return fail(end.error());
  if (at >= *end) return at;
  return read_up_to(reader, at, *end, f);
}

result<void> for_each_record(event_log& log, const std::string& topic,
                             const std::function<result<void>(const record_view&)>& f) {
  auto config = log.find_topic(topic);
  if (!config) return fail(config.error());
  if (!*config) return fail(errc::not_found, topic, "there is no such topic in " + log.name());
  for (std::int32_t p = 0; p < (*config)->partitions; ++p) {
    auto done = for_each_record(log, {topic, partition{p}}, offset{0},
                                [&](const record_view& r) -> result<bool> {
                                  if (auto ok = f(r); !ok) return fail(ok.error());
                                  return true;
                                });
    if (!done) return fail(done.error());
  }
  return {};
}

result<offset> end_of_records(event_log& log, const topic_partition& where) {
  auto bounds = log.bounds(where);
  if (!bounds) return fail(bounds.error());
  auto end = log.settled_end(where);
  if (!end) return fail(end.error());
  auto reader = log.open_reader(where);
  if (!reader) return fail(reader.error());
  for (std::int64_t back = 8;; back *= 16) {
    const auto from = std::max(bounds->earliest, *end - back);
    std::optional<offset> behind;
    auto read = read_up_to(**reader, from, *end, [&](const record_view& r) -> result<bool> {
      behind = r.offset + 1;
      return true;
    });
    if (!read) return fail(read.error());
    if (behind) return *behind;
    if (from == bounds->earliest) return from;
  }
}

result<bool> has_record_at(event_log& log, const topic_partition& where, offset at,
                           offset settled) {
  auto reader = log.open_reader(where);
  if (!reader) return fail(reader.error());
  bool there = false;
  auto read = read_up_to(**reader, at, settled, [&](const record_view& r) -> result<bool> {
    there = r.offset == at;
    return false;
  });
  if (!read) return fail(read.error());
  return there;
}

}  // namespace kappa
