#include "kappa/task/commit_lane.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "kappa/core/failpoint.hpp"
#include "kappa/log/for_each_record.hpp"

namespace kappa {

commit_lane::commit_lane(std::shared_ptr<event_log> log, writer_options options, log_sink log_to)
    : log_{std::move(log)}, options_{std::move(options)}, log_to_{std::move(log_to)} {}

result<void> commit_lane::open() {
  writer_.reset();
  auto writer = log_->open_writer(options_);
  if (!writer) return fail(writer.error());
  // Another owner in between has gone on from where this one's tasks were; that it is gone again
  // does not make them right.
  if (term_ && (*writer)->term() != *term_ + 1) {
    return fail(errc::fenced, options_.app,
                "another owner had the app since; what this one has processed is out of date");
  }
  writer_ = std::move(*writer);
  term_ = writer_->term();
  return {};
}

// Whether the epochs, one transaction, were committed after all: each position tells which epoch
// moved it last, and whose. A task that another process has moved on tells nothing, and nobody here
// needs to know: it is lost, is dropped as soon as its actor hears of it, and until then the
// brokers refuse its epochs. (This process can be in the group again only once its lost tasks have
// ended, and those wait while this is in doubt.)
result<std::optional<std::vector<std::vector<offset>>>> commit_lane::find_out(
    std::span<const epoch_ptr> epochs) {
  std::vector<std::vector<offset>> bases;
  std::map<topic_partition, std::int64_t> written;  // records that only its task writes
  std::vector<bool> is_mine;
  for (const auto& e : epochs) {
    if (e->moves.empty()) {  // it goes with the others; alone it is done again, which does no harm
      is_mine.push_back(false);
      bases.emplace_back(e->appends.size(), offset{-1});
      continue;
    }
    auto position = log_->position(e->moves.at(0).key);
    if (!position) return fail(position.error());
    const auto meta = *position ? decode_metadata((*position)->metadata) : std::nullopt;
    if (!meta || meta->epoch < e->number) return std::optional<std::vector<std::vector<offset>>>{};
    auto mine = writer_->moved_last(e->moves.at(0).key);
    if (!mine) return fail(mine.error());
    is_mine.push_back(*mine);
    bases.emplace_back(e->appends.size(), offset{-1});
    if (!*mine) continue;
    for (const auto own : e->own_appends)
      written[e->appends[own].to] += e->appends[own].records->count();
  }
  if (std::find(is_mine.begin(), is_mine.end(), true) == is_mine.end())
    return std::optional<std::vector<std::vector<offset>>>{};
  // Nobody else writes there, so the last records are theirs.
  std::map<topic_partition, std::vector<offset>> last;
  for (const auto& [where, count] : written) {
    auto found = last_records(where, static_cast<std::size_t>(count));
    if (!found) return fail(found.error());
    last[where] = std::move(*found);
  }
  std::map<topic_partition, std::size_t> next;
  for (std::size_t i = 0; i < epochs.size(); ++i) {
    const auto& e = epochs[i];
    if (!is_mine[i]) continue;
    for (const auto own : e->own_appends) {
      const auto& a = e->appends[own];
      bases[i][own] = last.at(a.to).at(next[a.to]);
      next[a.to] += a.records->count();
    }
  }
  return std::optional{std::move(bases)};
}

// Offsets of the last `count` records; unused ones may lie between and behind them.
result<std::vector<offset>> commit_lane::last_records(const topic_partition& where,
                                                      std::size_t count) {
  auto bounds = log_->bounds(where);
  if (!bounds) return fail(bounds.error());
  auto end = log_->settled_end(where);
  if (!end) return fail(end.error());
  for (auto span = static_cast<std::int64_t>(count);; span *= 2) {
    const auto from = std::max(bounds->earliest, *end - span);
    std::vector<offset> all;
    auto read = for_each_record(*log_, where, from, [&](const record_view& r) -> result<bool> {
      all.push_back(r.offset);
      return true;
    });
    if (!read) return fail(read.error());
    if (all.size() >= count) {
      all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(count));
      return all;
    }
    if (from == bounds->earliest)
      return fail(errc::corrupt, where.text(), "records of a committed epoch are missing");
  }
}

// Asks the log what became of the epochs in doubt. After an error they are in doubt still.
result<void> commit_lane::resolve() {
  if (auto opened = open(); !opened) return opened;
  auto found = find_out(in_doubt_);
  if (!found) return fail(found.error());
  if (*found) {
    for (std::size_t i = 0; i < in_doubt_.size(); ++i)
      settled_.emplace(in_doubt_[i], std::move((**found)[i]));
  }
  in_doubt_.clear();
  return {};
}

result<commit_lane::bases_of_epochs> commit_lane::commit(std::span<const epoch_ptr> epochs) {
  if (!in_doubt_.empty()) {
    if (auto resolved = resolve(); !resolved) return fail(resolved.error());
  }
  std::vector<epoch_ptr> rest;
  for (const auto& e : epochs) {
    if (!settled_.contains(e)) rest.push_back(e);
  }
  if (!rest.empty()) {
    if (auto committed = commit_now(rest); !committed) return fail(committed.error());
  }
  bases_of_epochs all;
  for (const auto& e : epochs) all.push_back(std::move(settled_.at(e)));
  settled_.clear();
  return all;
}

result<void> commit_lane::commit_now(const std::vector<epoch_ptr>& epochs) {
  if (!writer_) {
    if (auto opened = open(); !opened) return opened;
  }
  log_transaction tx;
  for (const auto& e : epochs) {
    tx.appends.insert(tx.appends.end(), e->appends.begin(), e->appends.end());
    tx.moves.insert(tx.moves.end(), e->moves.begin(), e->moves.end());
  }
  failpoint::hit("t1.before_commit");
  auto receipt = writer_->commit(tx);
  failpoint::hit("t1.after_commit");
  if (!receipt) {
    if (receipt.error().code != errc::indefinite) return fail(receipt.error());
    log_to_(log_level::warning, "outcome of a commit is unknown: reading the log's end",
            {{"app", options_.app}, {"error", receipt.error().text()}});
    in_doubt_ = epochs;
    if (auto resolved = resolve(); !resolved) return resolved;
    if (settled_.contains(epochs.front())) return {};
    auto e = receipt.error();
    e.retriable = true;  // nothing of it is in the log
    return fail(std::move(e));
  }
  std::size_t at = 0;
  for (const auto& e : epochs) {
    const auto begin = receipt->bases.begin() + static_cast<std::ptrdiff_t>(at);
    settled_.emplace(
        e, std::vector<offset>(begin, begin + static_cast<std::ptrdiff_t>(e->appends.size())));
    at += e->appends.size();
  }
  return {};
}

result<void> commit_lane::append(const topic_partition& to, record_batch records) {
  if (records.empty()) return {};
  log_transaction tx;
  tx.appends.push_back({to, std::make_shared<const record_batch>(std::move(records))});
  auto receipt = writer_->commit(tx);
  if (!receipt) return fail(receipt.error());
  return {};
}

}  // namespace kappa
