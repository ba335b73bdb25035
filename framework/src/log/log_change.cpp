// What one transaction of the embedded log writes.
#include <algorithm>

#include <fmt/format.h>

#include "log/embedded_store.hpp"
#include "log/frame.hpp"
#include "log/log_rules.hpp"

namespace kappa::detail {

namespace {

// LMDB puts a 16-byte head before a value that has pages of its own: a frame that is exactly a
// multiple of the page size would take, and read, a page more.
constexpr std::size_t page_head_bytes = 16;

std::size_t body_limit(std::size_t frame_bytes) {
  return frame_bytes - sizeof(frame_header) - page_head_bytes;
}

}  // namespace

result<log_change::touched*> log_change::touch(const open_partition& p) {
  const auto it = touched_.find(p.id);
  if (it != touched_.end()) return &it->second;
  auto meta = store_.meta(txn_, p);
  if (!meta) return fail(meta.error());
  return &touched_.emplace(p.id, touched{*meta, false}).first->second;
}

result<void> log_change::prepare(const open_partition& p) {
  if (auto t = touch(p); !t) return fail(t.error());
  return {};
}

result<offset> log_change::append(const open_partition& p, const record_batch& records) {
  auto t = touch(p);
  if (!t) return fail(t.error());
  auto& meta = (*t)->meta;
  (*t)->changed = true;
  const auto base = meta.latest;
  auto r = split_batch(records, body_limit(store_.frame_bytes_), [&](const frame_part& part) {
    const offset first = base + std::int64_t{part.first_delta};
    if (meta.since_index_bytes >= time_index_bytes) {
      const auto key = time_key(p.id, meta.max_time);
      auto put = txn_.put(store_.times_, key, encode_time(key, first));
      if (!put) return put;
      meta.since_index_bytes = 0;
    }
    // Written straight into LMDB's page: one copy from the batch.
    auto room = txn_.reserve(p.frames, offset_key(first), part.frame_bytes(), MDB_APPEND);
    if (!room) return result<void>{fail(room.error())};
    write_frame(*room, part, base, p.seed);
    meta.size_bytes += part.frame_bytes();
    meta.since_index_bytes += part.frame_bytes();
    meta.max_time = std::max(meta.max_time, part.max_time);
    return result<void>{};
  });
  if (!r) return fail(r.error());
  meta.latest = base + std::int64_t{records.count()};
  appended_ = true;
  return base;
}

result<void> log_change::move(const log_transaction::move& m) {
  const auto key = encode_position_key(m.key);
  return txn_.put(store_.positions_, key, encode(key, m.value));
}

result<std::optional<stored_producer>> log_change::producer(const open_partition& p,
                                                            const std::string& id) const {
  const auto key = producer_key(p.id, id);
  auto stored = txn_.get(store_.producers_, key);
  if (!stored) return fail(stored.error());
  if (!*stored) return std::optional<stored_producer>{};
  auto value = decode_producer(key, **stored);
  if (!value) {
    return fail(errc::corrupt, p.where.text(),
                "damaged: the sequence of producer " + printable(id));
  }
  return value;
}

result<void> log_change::set_producer(const open_partition& p, const std::string& id,
                                      const stored_producer& value) {
  const auto key = producer_key(p.id, id);
  return txn_.put(store_.producers_, key, encode(key, value));
}

result<void> log_change::finish() {
  for (auto& [id, t] : touched_) {
    if (!t.changed) continue;
    const auto key = partition_key(id);
    if (auto r = txn_.put(store_.partitions_, key, encode(key, t.meta)); !r) return r;
    t.changed = false;
  }
  return {};
}

// ---- retention

result<embedded_store::expired> embedded_store::find_expired(const open_partition& p,
                                                             const topic_config& config,
                                                             timestamp now) {
  expired out;
  auto txn = env_->begin_read();
  if (!txn) return fail(txn.error());
  auto m = meta(*txn, p);
  if (!m) return fail(m.error());
  out.earliest = out.next_earliest = m->earliest;
  if (m->earliest == m->latest) return out;
  auto c = lmdb::cursor::open(*txn, p.frames);
  if (!c) return fail(c.error());
  auto more = c->first();
  for (; more && *more && out.frames < retention_frames; more = c->next()) {
    const auto size = c->value().size();
    const auto h = peek_frame(c->value());
    if (!h) {
      return fail(errc::corrupt, fmt::format("{}@{}", p.where.text(), out.next_earliest.value),
                  "damaged: the frame's header");
    }
    const timestamp newest{milliseconds{h->max_time_ms}};
    const bool old = config.retention_time && newest < saturating_add(now, -*config.retention_time);
    const auto gone = out.bytes + size;
    const auto rest = m->size_bytes > gone ? m->size_bytes - gone : 0;
    const bool too_much = config.retention_bytes && rest >= *config.retention_bytes;
    if (!old && !too_much) break;
    ++out.frames;
    out.records += h->count;
    out.bytes += size;
    out.next_earliest = offset{h->last + 1};
  }
  if (!more) return fail(more.error());
  return out;
}

result<void> log_change::expire(const open_partition& p, const embedded_store::expired& what) {
  auto t = touch(p);
  if (!t) return fail(t.error());
  auto& meta = (*t)->meta;
  // Another process applied retention in the meantime: let it.
  if (meta.earliest != what.earliest)
    return fail(errc::unavailable, p.where.text(), "changed", true);
  const auto border = offset_key(what.next_earliest);
  {
    auto c = lmdb::cursor::open(txn_, p.frames);
    if (!c) return fail(c.error());
    auto more = c->first();
    for (; more && *more && c->key() < border; more = c->first()) {
      if (auto r = c->erase(txn_); !r) return r;
    }
    if (!more) return fail(more.error());
  }
  {
    // Entries of the time index that point to what is gone; few, as the index is sparse.
    auto c = lmdb::cursor::open(txn_, store_.times_);
    if (!c) return fail(c.error());
    const auto prefix = partition_key(p.id);
    for (;;) {
      auto more = c->at_or_after(prefix);
      if (!more) return fail(more.error());
      if (!*more || !c->key().starts_with(prefix)) break;
      const auto at = decode_time(c->key(), c->value());
      if (!at) return fail(errc::corrupt, p.where.text(), "damaged: the time index");
      if (*at >= what.next_earliest) break;
      if (auto r = c->erase(txn_); !r) return r;
    }
  }
  meta.earliest = what.next_earliest;
  meta.size_bytes -= std::min(meta.size_bytes, what.bytes);
  (*t)->changed = true;
  return {};
}

}  // namespace kappa::detail
