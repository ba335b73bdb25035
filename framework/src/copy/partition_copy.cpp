#include "copy/partition_copy.hpp"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "copy/partition_walk.hpp"
#include "kappa/core/failpoint.hpp"

namespace kappa::detail {
namespace {

bool same_record(const record_view& a, const record_view& b) {
  return a.time == b.time && a.key == b.key && a.value == b.value &&
         a.headers.raw() == b.headers.raw();
}

}  // namespace

result<partition_copy::outcome> partition_copy::run() const {
  auto old_bounds = from.bounds(where);
  if (!old_bounds) return fail(old_bounds.error());
  auto new_bounds = to.bounds(where);
  if (!new_bounds) return fail(new_bounds.error());
  // Whatever a copy that was killed had begun is over by then. Kafka's brokers look for
  // transactions that take too long now and then only.
  auto new_end = to.settled_end(where);
  if (!new_end && new_end.error().code == errc::timed_out) new_end = to.settled_end(where);
  if (!new_end) return fail(new_end.error());
  outcome out{.map = offset_map{new_bounds->earliest}};
  partition_walk olds{from, where, old_bounds->earliest, until};
  partition_walk news{to, where, new_bounds->earliest, *new_end};

  for (;;) {
    auto there = news.next();
    if (!there) return fail(there.error());
    if (*there == nullptr) break;
    auto here = olds.next();
    if (!here) return fail(here.error());
    const auto at = fmt::format("{}@{}", where.text(), (*there)->offset);
    if (*here == nullptr) {
      return fail(errc::already_exists, at,
                  fmt::format("{} has more records here than {}: they are not from this copy; copy "
                              "into a log without this topic",
                              to.name(), from.name()));
    }
    const auto old_offset = (*here)->offset;
    auto translated = translate(**here);
    if (!translated) return fail(translated.error());
    if (!same_record(*translated, **there)) {
      return fail(errc::already_exists, at,
                  fmt::format("{} has another record here than {} at {}: it is not from this copy; "
                              "copy into a log without this topic",
                              to.name(), from.name(), old_offset));
    }
    out.map.add(old_offset, (*there)->offset);
    ++out.found;
  }

  std::vector<offset> offsets;  // of what is in the batch
  std::pair<std::shared_ptr<const record_batch>, offset> last;
  auto batch = std::make_shared<record_batch>();
  const auto flush = [&]() -> result<void> {
    if (offsets.empty()) return {};
    progress(out.found + out.appended);
    failpoint::hit("copy.before_append");
    auto base = append(batch, static_cast<std::uint64_t>(offsets.back().value) + 1);
    if (!base) return fail(base.error());
    failpoint::hit("copy.after_append");
    for (std::size_t i = 0; i < offsets.size(); ++i)
      out.map.add(offsets[i], *base + static_cast<std::int64_t>(i));
    out.appended += offsets.size();
    offsets.clear();
    last = {std::exchange(batch, std::make_shared<record_batch>()), *base};
    return {};
  };
  for (;;) {
    auto here = olds.next();
    if (!here) return fail(here.error());
    if (*here == nullptr) break;
    auto translated = translate(**here);
    if (!translated) return fail(translated.error());
    batch->add(translated->time, translated->key, translated->value, translated->headers.raw());
    offsets.push_back((*here)->offset);
    if (batch->size_bytes() < batch_bytes) continue;
    if (auto done = flush(); !done) return fail(done.error());
  }
  if (auto done = flush(); !done) return fail(done.error());
  if (last.first != nullptr) {
    if (auto kept = check_kept(*last.first, last.second); !kept) return fail(kept.error());
  }
  return out;
}

// A topic that was there may have a time of its own for each record, or another writer.
result<void> partition_copy::check_kept(const record_batch& batch, offset base) const {
  auto end = to.settled_end(where);
  if (!end) return fail(end.error());
  partition_walk news{to, where, base, *end};
  result<void> kept;
  const auto differs = [&](offset at) {
    return fail(errc::incompatible, fmt::format("{}@{}", where.text(), at),
                fmt::format("{} does not have the record that was just appended there: another "
                            "program writes there too, or the topic gives records a time of its "
                            "own (message.timestamp.type=LogAppendTime); make it anew with "
                            "CreateTime",
                            to.name()));
  };
  batch.for_each(
      [&](const record_view& r) {
        if (!kept) return;
        auto there = news.next();
        if (!there) {
          kept = fail(there.error());
        } else if (*there == nullptr || !same_record(**there, r)) {
          kept = differs(r.offset);
        }
      },
      base);
  if (!kept) return kept;
  auto more = news.next();
  if (!more) return fail(more.error());
  return *more == nullptr ? result<void>{} : differs((*more)->offset);
}

}  // namespace kappa::detail
