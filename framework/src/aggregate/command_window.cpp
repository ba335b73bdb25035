#include "kappa/aggregate/command_window.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "aggregate/id_index.hpp"

namespace kappa {
namespace {

// A chunk is found by its number, and then gone through.
constexpr std::uint32_t most_ids = 1024;
constexpr std::size_t most_chunk_bytes = 64 << 10;
// Room that is made for ids that may not come: 4 MiB.
constexpr std::uint64_t most_expected = 256 << 10;
// One that few ids come into is closed after this part of the span.
constexpr int chunks_of_a_span = 8;

// A chunk: i64 oldest, i64 youngest (ms), then for each id
//   u64, u64 hash, u64 fingerprint, i64 decided at (ms), u32 size, outcome
constexpr std::size_t head_bytes = 16;

bytes key_of(std::uint64_t number) {
  bytes key;
  append_ordered(key, static_cast<std::int64_t>(number));
  return key;
}

void put_head(bytes& content, timestamp oldest, timestamp youngest) {
  bytes head;
  byte_writer{head}
      .put(std::int64_t{oldest.time_since_epoch().count()})
      .put(std::int64_t{youngest.time_since_epoch().count()});
  content.replace(0, head_bytes, head);
}

struct chunk_entry {
  hash128 id;
  std::uint64_t fingerprint = 0;
  timestamp decided_at = min_time;
  bytes_view outcome;
};

// Calls f(chunk_entry) for each. False: it is malformed.
template <class F>
bool for_each_entry(bytes_view content, F&& f) {
  byte_reader in{content};
  in.get_raw(head_bytes);
  while (in.ok() && !in.rest().empty()) {
    chunk_entry e;
    e.id.high = in.get<std::uint64_t>();
    e.id.low = in.get<std::uint64_t>();
    e.fingerprint = in.get<std::uint64_t>();
    e.decided_at = timestamp{milliseconds{in.get<std::int64_t>()}};
    e.outcome = in.get_bytes();
    if (in.ok()) f(e);
  }
  return in.ok();
}

}  // namespace

/// What was added last is not looked for before the next `find`: in a replay there is none.
class command_window::index {
 public:
  using chunk_range = detail::id_index::chunk_range;

  void add(const hash128& id, std::uint64_t chunk, const chunk_range& there) {
    late_.push_back({id, chunk});
    if (late_.size() == most_late) all_.add_all(late_, there);
  }
  void reserve(std::size_t more, const chunk_range& there) { all_.reserve(more, there); }
  template <class F>
  void for_each(const hash128& id, const chunk_range& there, F&& f) {
    if (late_.size() < many) {
      for (const auto& e : late_) all_.add(e, there);
      late_.clear();
    } else {
      all_.add_all(late_, there);
    }
    all_.for_each(id, there, f);
  }
  [[nodiscard]] std::size_t memory_bytes() const {
    return all_.memory_bytes() + late_.capacity() * sizeof late_.front();
  }

 private:
  static constexpr std::size_t many = 1024;
  static constexpr std::size_t most_late = 16 << 10;

  detail::id_index all_;
  std::vector<detail::id_index::entry> late_;
};

result<void> command_window_options::check() const {
  const auto bad = [](std::string what) {
    return fail(errc::bad_config, "command_window", std::move(what));
  };
  if (span < std::chrono::seconds{1} || span > std::chrono::days{30})
    return bad(fmt::format("span: {} ms are not in 1 s … 30 d", span.count()));
  if (max_bytes < std::uint64_t{1} << 20)
    return bad(fmt::format("max_bytes: {} is less than 1 MiB", max_bytes));
  return {};
}

command_window::command_window(state_store& store, std::size_t table,
                               command_window_options options)
    : store_{store}, table_{table}, options_{options}, index_{std::make_unique<index>()} {}

command_window::~command_window() = default;

result<void> command_window::load() {
  std::optional<bytes> damaged;
  auto read = store_.scan(table_, {}, {}, [&](bytes_view key, bytes_view value) {
    byte_reader head{value};
    chunk c;
    c.oldest = timestamp{milliseconds{head.get<std::int64_t>()}};
    c.youngest = timestamp{milliseconds{head.get<std::int64_t>()}};
    c.size = value.size();
    const auto number = read_ordered(key);
    if (chunks_.empty() && number) first_ = static_cast<std::uint64_t>(*number);
    bool good = head.ok() && number && static_cast<std::uint64_t>(*number) == end();
    if (good) {
      const auto here = end();
      chunks_.push_back(c);
      good = for_each_entry(value, [&](const chunk_entry& e) {
        index_->add(e.id, here, {first_, chunks_.size()});
      });
    }
    if (!good) damaged = bytes{key};
    bytes_ += c.size;
    latest_ = std::max(latest_, c.oldest);
    return good;
  });
  if (!read) return fail(read.error());
  if (damaged) {
    return fail(errc::corrupt, store_.subject(table_, *damaged),
                "it is no chunk of command ids; delete the state folder to rebuild it");
  }
  stored_from_ = first_;
  stored_to_ = end();
  return {};
}

void command_window::expect(std::uint64_t ids) {
  index_->reserve(std::min(ids, most_expected), {first_, chunks_.size()});
}

result<bytes_view> command_window::content_of(std::uint64_t number) {
  const auto& c = chunks_[number - first_];
  if (c.content) return bytes_view{*c.content};
  if (read_ != number) {
    read_.reset();
    auto found = store_.get(table_, key_of(number), read_content_);
    if (!found) return fail(found.error());
    if (!*found) {
      return fail(errc::corrupt, store_.subject(table_, key_of(number)),
                  "a chunk of command ids is missing; delete the state folder to rebuild it");
    }
    read_ = number;
  }
  return bytes_view{read_content_};
}

result<std::optional<command_window::entry>> command_window::find(const hash128& id) {
  std::optional<error> failed;
  std::optional<std::uint64_t> in_chunk;
  std::optional<entry> found;
  index_->for_each(id, {first_, chunks_.size()}, [&](std::uint64_t number) {
    if (failed || (in_chunk && number <= *in_chunk)) return;
    const auto content = content_of(number);
    if (!content) {
      failed = content.error();
      return;
    }
    for_each_entry(*content, [&](const chunk_entry& e) {
      if (e.id != id) return;
      in_chunk = number;
      found = {e.fingerprint, e.decided_at, bytes{e.outcome}};
    });
  });
  if (failed) return fail(std::move(*failed));
  return found;
}

command_window::chunk& command_window::open_chunk(timestamp now) {
  // What was read from the store is left as it is.
  const bool fits = !chunks_.empty() && chunks_.back().content && chunks_.back().ids < most_ids &&
                    chunks_.back().size < most_chunk_bytes &&
                    saturating_add(chunks_.back().oldest, options_.span / chunks_of_a_span) >= now;
  if (fits) return chunks_.back();
  // Often as large as the one before.
  const auto likely_bytes = chunks_.empty() ? head_bytes : chunks_.back().size;
  auto& c = chunks_.emplace_back();
  c.content.emplace(head_bytes, '\0').reserve(likely_bytes);
  c.size = head_bytes;
  bytes_ += head_bytes;
  return c;
}

void command_window::add(const hash128& id, std::uint64_t fingerprint, timestamp decided_at,
                         std::optional<timestamp> made, bytes_view outcome) {
  auto& c = open_chunk(decided_at);
  if (!std::exchange(c.changed, true)) dirty_bytes_ += c.size;
  const auto before = c.size;
  byte_writer{*c.content}
      .put(id.high)
      .put(id.low)
      .put(fingerprint)
      .put(std::int64_t{decided_at.time_since_epoch().count()})
      .put_bytes(outcome);
  c.size = c.content->size();
  ++c.ids;
  c.oldest = std::min(c.oldest, decided_at);
  c.youngest = std::max(c.youngest, std::max(decided_at, made.value_or(min_time)));
  bytes_ += c.size - before;
  dirty_bytes_ += c.size - before;
  latest_ = std::max(latest_, decided_at);
  index_->add(id, end() - 1, {first_, chunks_.size()});
}

void command_window::drop_first() {
  const auto& c = chunks_.front();
  bytes_ -= c.size;
  if (c.changed) dirty_bytes_ -= c.size;
  chunks_.pop_front();
  ++first_;
}

void command_window::forget(timestamp now) {
  latest_ = std::max(latest_, now);
  while (!chunks_.empty() && saturating_add(chunks_.front().youngest, options_.span) < now)
    drop_first();
}

bool command_window::full() const {
  return bytes_ >= options_.max_bytes || chunks_.size() >= detail::id_index::most_chunks;
}

bool command_window::too_old(timestamp made, timestamp now) const {
  return saturating_add(made, options_.span) < std::max(now, latest_);
}

frozen_delta command_window::freeze() {
  auto delta = std::make_shared<table_delta>();
  for (auto gone = stored_from_; gone < std::min(first_, stored_to_); ++gone)
    delta->add(key_of(gone), std::nullopt);
  // The last chunk of the last time may have been added to.
  const auto from = std::max(first_, stored_to_ > 0 ? stored_to_ - 1 : 0);
  for (auto n = from; n < end(); ++n) {
    auto& c = chunks_[n - first_];
    if (!std::exchange(c.changed, false)) continue;
    put_head(*c.content, c.oldest, c.youngest);
    delta->add(key_of(n), *c.content);
  }
  dirty_bytes_ = 0;
  stored_from_ = first_;
  stored_to_ = end();
  frozen_ = {from, end()};
  return delta;
}

void command_window::thaw() {
  if (!frozen_) bug("command ids are thawed that were not frozen");
  const auto [from, to] = *std::exchange(frozen_, std::nullopt);
  for (auto n = std::max(first_, from); n < to; ++n) {
    auto& c = chunks_[n - first_];
    if (n + 1 < end() && !c.changed) c.content.reset();
  }
}

std::size_t command_window::memory_bytes() const {
  std::size_t all = index_->memory_bytes() + read_content_.capacity();
  for (const auto& c : chunks_) all += sizeof c + (c.content ? c.content->capacity() : 0);
  return all;
}

milliseconds command_window::span(timestamp now) const {
  if (chunks_.empty()) return milliseconds{0};
  return std::max(milliseconds{0},
                  std::chrono::duration_cast<milliseconds>(now - chunks_.front().oldest));
}

}  // namespace kappa
