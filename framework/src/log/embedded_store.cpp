#include "log/embedded_store.hpp"

#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "kappa/core/failpoint.hpp"
#include "log/frame.hpp"
#include "log/log_rules.hpp"

namespace kappa::detail {

namespace {

tl::unexpected<error> damaged(std::string subject, std::string_view what) {
  return fail(errc::corrupt, std::move(subject), fmt::format("damaged: {}", what));
}

std::string at_text(const topic_partition& tp, offset at) {
  return fmt::format("{}@{}", tp.text(), at.value);
}

}  // namespace

result<std::unique_ptr<embedded_store>> embedded_store::open(const embedded_log_options& options) {
  lmdb::environment_options env_options;
  env_options.folder = options.folder;
  env_options.map_bytes = options.map_bytes;
  env_options.max_dbs = embedded_max_dbs;
  env_options.read_only = options.read_only;
  auto env = lmdb::environment::open(env_options);
  if (!env) {
    auto e = env.error();
    if (e.code == errc::corrupt) e.message += "; `kappa salvage` copies what is sound";
    return fail(std::move(e));
  }
  std::unique_ptr<embedded_store> store{new embedded_store{*env, options.frame_bytes}};
  if (auto r = store->open_databases(); !r) return fail(r.error());
  return store;
}

result<void> embedded_store::open_databases() {
  const auto subject = lmdb::data_file(folder()).string();
  auto meta = env_->find_dbi(table::meta);
  if (!meta) return fail(meta.error());
  if (!*meta) {
    if (env_->read_only()) return fail(errc::not_found, subject, "there is no log in it");
    if (auto r = make_databases(); !r) return r;
    meta = env_->find_dbi(table::meta);
    if (!meta) return fail(meta.error());
  }
  {
    auto txn = env_->begin_read();
    if (!txn) return fail(txn.error());
    auto format = txn->get(**meta, format_key);
    if (!format) return fail(format.error());
    auto id = txn->get(**meta, id_key);
    if (!id) return fail(id.error());
    const auto format_content = *format ? unseal(table::meta, format_key, **format) : std::nullopt;
    const auto id_content = *id ? unseal(table::meta, id_key, **id) : std::nullopt;
    if (!format_content || !id_content) return damaged(subject, "its format and id cannot be read");
    const auto version = byte_reader{*format_content}.get<std::uint32_t>();
    if (version != embedded_format) {
      return fail(errc::incompatible, subject,
                  fmt::format("a log of format {}; this Kappa reads and writes format {}", version,
                              embedded_format));
    }
    id_ = std::string{*id_content};
  }
  const std::pair<const char*, lmdb::dbi*> names[] = {
      {table::topics, &topics_},       {table::partitions, &partitions_}, {table::times, &times_},
      {table::positions, &positions_}, {table::producers, &producers_},   {table::apps, &apps_}};
  for (const auto& [name, db] : names) {
    auto found = env_->find_dbi(name);
    if (!found) return fail(found.error());
    if (!*found) return damaged(subject, fmt::format("the database {} is missing", name));
    *db = **found;
  }
  return {};
}

result<void> embedded_store::make_databases() {
  return env_->write([&](lmdb::write_txn& txn) -> result<void> {
    auto others = txn.entries(lmdb::main_dbi);
    if (!others) return fail(others.error());
    auto meta = txn.create_dbi(table::meta);
    if (!meta) return fail(meta.error());
    auto there = txn.get(*meta, id_key);
    if (!there) return fail(there.error());
    if (*there) return {};  // another process was faster
    if (*others != 0) {
      return fail(errc::incompatible, lmdb::data_file(folder()).string(),
                  "holds something else than a log (a state?)");
    }
    for (const auto* name : {table::topics, table::partitions, table::times, table::positions,
                             table::producers, table::apps}) {
      if (auto db = txn.create_dbi(name); !db) return fail(db.error());
    }
    bytes format;
    byte_writer{format}.put(embedded_format);
    if (auto r = txn.put(*meta, format_key, seal(table::meta, format_key, format)); !r) return r;
    return txn.put(*meta, id_key, seal(table::meta, id_key, make_uuid()));
  });
}

// ---- topics

result<std::optional<stored_topic>> embedded_store::load_topic(const lmdb::txn_base& txn,
                                                               const std::string& name) const {
  if (name.empty() || name.size() > log_limits::max_topic_name_bytes) {
    return std::optional<stored_topic>{};  // LMDB would call it a wrong key
  }
  auto stored = txn.get(topics_, name);
  if (!stored) return fail(stored.error());
  if (!*stored) return std::optional<stored_topic>{};
  auto topic = decode_topic(name, **stored);
  if (!topic) return damaged(name, "the settings of the topic");
  return topic;
}

result<void> embedded_store::create_topic(const topic_config& config) {
  if (auto r = check_topic(config); !r) return r;
  if (config.compacted) {
    return fail(errc::invalid_argument, config.name, "the embedded log does not compact topics");
  }
  // Mostly it is there already: no need to wait for the writer then.
  auto there = find_topic(config.name);
  if (!there) return fail(there.error());
  if (*there == config) return {};
  return env_->write([&](lmdb::write_txn& txn) -> result<void> {
    auto known = load_topic(txn, config.name);
    if (!known) return fail(known.error());
    stored_topic topic{0, config};
    if (*known) {
      if (auto r = check_same_topic((*known)->config, config); !r) return r;
      topic = **known;
      topic.config.retention_time = config.retention_time;
      topic.config.retention_bytes = config.retention_bytes;
      return txn.put(topics_, config.name, encode(topic));
    }
    // Topics are never removed, so their count is the last number.
    auto count = txn.entries(topics_);
    if (!count) return fail(count.error());
    auto partitions = txn.entries(partitions_);
    if (!partitions) return fail(partitions.error());
    constexpr auto most = std::uint64_t{embedded_max_dbs} - 64;
    if (*partitions + static_cast<std::uint64_t>(config.partitions) > most) {
      return fail(errc::too_large, config.name,
                  fmt::format("one embedded log holds at most {} partitions, it has {} already",
                              most, *partitions));
    }
    topic.number = static_cast<std::uint32_t>(*count + 1);
    if (auto r = txn.put(topics_, config.name, encode(topic)); !r) return r;
    for (std::int32_t n = 0; n < config.partitions; ++n) {
      const partition p{n};
      auto db = txn.create_dbi(frames_name(topic.number, p));
      if (!db) return fail(db.error());
      const auto key = partition_key(make_partition_id(topic.number, p));
      if (auto r = txn.put(partitions_, key, encode(key, partition_meta{})); !r) return r;
    }
    failpoint::hit("log.create_topic");
    return {};
  });
}

result<std::optional<topic_config>> embedded_store::find_topic(const std::string& name) {
  auto txn = env_->begin_read();
  if (!txn) return fail(txn.error());
  auto topic = load_topic(*txn, name);
  if (!topic) return fail(topic.error());
  if (!*topic) return std::optional<topic_config>{};
  return std::optional{(*topic)->config};
}

result<std::vector<topic_config>> embedded_store::topics() {
  auto txn = env_->begin_read();
  if (!txn) return fail(txn.error());
  auto c = lmdb::cursor::open(*txn, topics_);
  if (!c) return fail(c.error());
  std::vector<topic_config> out;
  auto more = c->first();
  for (; more && *more; more = c->next()) {
    const std::string name{c->key()};
    auto topic = decode_topic(name, c->value());
    if (!topic) return damaged(name, "the settings of the topic");
    out.push_back(std::move(topic->config));
  }
  if (!more) return fail(more.error());
  return out;
}

result<std::shared_ptr<const open_topic>> embedded_store::open(const std::string& name) {
  {
    const std::shared_lock lock{open_mutex_};
    if (const auto it = open_.find(name); it != open_.end()) return it->second;
  }
  std::optional<stored_topic> stored;
  {
    auto txn = env_->begin_read();
    if (!txn) return fail(txn.error());
    auto topic = load_topic(*txn, name);
    if (!topic) return fail(topic.error());
    if (!*topic) return fail(errc::not_found, name, "no such topic; create it first");
    stored = std::move(**topic);
  }
  auto opened = std::make_shared<open_topic>();
  opened->config = stored->config;
  for (std::int32_t n = 0; n < stored->config.partitions; ++n) {
    open_partition p;
    p.where = {name, partition{n}};
    p.id = make_partition_id(stored->number, p.where.partition);
    p.seed = frame_seed(p.where);
    auto db = env_->find_dbi(frames_name(stored->number, p.where.partition));
    if (!db) return fail(db.error());
    if (!*db) return damaged(p.where.text(), "the partition's database is missing");
    p.frames = **db;
    opened->partitions.push_back(std::move(p));
  }
  const std::unique_lock lock{open_mutex_};
  return open_.try_emplace(name, std::move(opened)).first->second;
}

result<std::shared_ptr<const open_partition>> embedded_store::open(const topic_partition& tp) {
  auto topic = open(tp.topic);
  if (!topic) return fail(topic.error());
  if (auto r = check_partition((*topic)->config, tp); !r) return fail(r.error());
  const auto* p = &(*topic)->partitions[static_cast<std::size_t>(tp.partition.value)];
  return std::shared_ptr<const open_partition>{std::move(*topic), p};
}

// ---- reading

result<partition_meta> embedded_store::meta(const lmdb::txn_base& txn,
                                            const open_partition& p) const {
  const auto key = partition_key(p.id);
  auto stored = txn.get(partitions_, key);
  if (!stored) return fail(stored.error());
  const auto meta = *stored ? decode_partition(key, **stored) : std::nullopt;
  if (!meta) return damaged(p.where.text(), "the partition's bounds");
  return *meta;
}

result<partition_bounds> embedded_store::bounds(const open_partition& p) {
  auto txn = env_->begin_read();
  if (!txn) return fail(txn.error());
  auto m = meta(*txn, p);
  if (!m) return fail(m.error());
  return partition_bounds{m->earliest, m->latest};
}

result<void> embedded_store::seek_frame(lmdb::cursor& c, const open_partition& p, offset at) const {
  const auto wanted = offset_key(at);
  auto found = c.at_or_after(wanted);
  if (!found) return fail(found.error());
  if (!*found || c.key() != wanted) {
    found = *found ? c.previous() : c.last();
    if (!found) return fail(found.error());
  }
  if (!*found) return damaged(at_text(p.where, at), "its frame is missing");
  return {};
}

result<read_batch> embedded_store::read(const open_partition& p, offset from,
                                        std::size_t max_bytes) {
  struct piece {
    offset first;
    bytes_view stored;
  };
  auto txn = env_->begin_read();
  if (!txn) return fail(txn.error());
  auto m = meta(*txn, p);
  if (!m) return fail(m.error());
  if (auto r = check_bounds(p.where, from, {m->earliest, m->latest}); !r) return fail(r.error());
  if (from == m->latest) return read_batch{nullptr, {}, from, from};
  auto c = lmdb::cursor::open(*txn, p.frames);
  if (!c) return fail(c.error());
  if (auto r = seek_frame(*c, p, from); !r) return fail(r.error());
  // First only where the frames are, then the buffer, then the one copy.
  std::vector<piece> pieces;
  std::size_t total = 0;
  result<bool> more = true;
  for (; more && *more; more = c->next()) {
    const auto v = c->value();
    if (!pieces.empty() && total + v.size() > max_bytes) break;
    const auto first = read_ordered(c->key());
    if (!first || v.size() % 8 != 0) return damaged(at_text(p.where, from), "the index of frames");
    pieces.push_back({offset{*first}, v});
    total += v.size();
  }
  if (!more) return fail(more.error());
  auto buffer = buffers_->take(total);
  std::vector<read_batch::frame> frames;
  frames.reserve(pieces.size());
  offset next = from;
  char* at = buffer.get();
  for (const auto& piece : pieces) {
    std::memcpy(at, piece.stored.data(), piece.stored.size());
    // The copy is verified, not the map: what was checked is what is handed out. Each at once,
    // while the processor's cache has it.
    const bytes_view copy{at, piece.stored.size()};
    auto h = check_frame(copy, p.seed, p.where, piece.first);
    const bool fits = h && (next == from ? h->last >= from.value : h->first == next.value) &&
                      h->last < m->latest.value;
    if (!fits) {
      // What comes before the damage is good; the next read meets it first.
      if (next != from) break;
      if (!h) return fail(h.error());
      return damaged(at_text(p.where, from), "its frame is missing");
    }
    at += copy.size();
    if (!h->is_gap()) frames.push_back({copy.data() + sizeof(frame_header), at, offset{h->base}});
    next = offset{h->last + 1};
  }
  return read_batch{std::move(buffer), std::move(frames), from, next};
}

result<offset> embedded_store::offset_for_time(const open_partition& p, timestamp t) {
  offset first;
  {
    auto txn = env_->begin_read();
    if (!txn) return fail(txn.error());
    auto m = meta(*txn, p);
    if (!m) return fail(m.error());
    // Everything before the frame of the last entry with a time below t is below t.
    offset start = m->earliest;
    auto times = lmdb::cursor::open(*txn, times_);
    if (!times) return fail(times.error());
    auto found = times->at_or_after(time_key(p.id, t));
    if (!found) return fail(found.error());
    found = *found ? times->previous() : times->last();
    if (!found) return fail(found.error());
    if (*found && times->key().substr(0, 8) == partition_key(p.id)) {
      const auto at = decode_time(times->key(), times->value());
      if (!at) return damaged(p.where.text(), "the time index");
      start = std::max(start, *at);
    }
    if (start >= m->latest) return m->latest;
    auto c = lmdb::cursor::open(*txn, p.frames);
    if (!c) return fail(c.error());
    if (auto r = seek_frame(*c, p, start); !r) return fail(r.error());
    result<bool> more = true;
    for (; more && *more; more = c->next()) {
      const auto h = peek_frame(c->value());
      const auto key = read_ordered(c->key());
      if (!h || !key) {
        return damaged(at_text(p.where, offset{key.value_or(start.value)}), "the frame's header");
      }
      if (h->is_gap() || timestamp{milliseconds{h->max_time_ms}} < t) continue;
      first = std::max(offset{*key}, m->earliest);
      break;
    }
    if (!more) return fail(more.error());
    if (!*more) return m->latest;
  }
  // In the frame, verified; retention may have taken it by now, then the next one is asked.
  auto batch = read(p, first, 1);
  if (!batch) {
    if (batch.error().code == errc::out_of_range) return offset_for_time(p, t);
    return fail(batch.error());
  }
  read_batch::cursor c{*batch};
  while (const auto* r = c.peek()) {
    if (r->time >= t) return r->offset;
    c.pop();
  }
  return damaged(at_text(p.where, first), "the frame's latest time is not one of its records'");
}

// ---- positions and apps

result<std::optional<committed_position>> embedded_store::position(const position_key& key) {
  const auto encoded = encode_position_key(key);
  if (encoded.size() > 511) return std::optional<committed_position>{};
  auto txn = env_->begin_read();
  if (!txn) return fail(txn.error());
  auto stored = txn->get(positions_, encoded);
  if (!stored) return fail(stored.error());
  if (!*stored) return std::optional<committed_position>{};
  auto p = decode_position(encoded, **stored);
  if (!p) return damaged(key.text(), "the position");
  return p;
}

result<std::vector<log_transaction::move>> embedded_store::positions(const std::string& app) {
  auto txn = env_->begin_read();
  if (!txn) return fail(txn.error());
  auto c = lmdb::cursor::open(*txn, positions_);
  if (!c) return fail(c.error());
  const auto prefix = position_prefix(app);
  std::vector<log_transaction::move> out;
  auto more = c->at_or_after(prefix);
  for (; more && *more && c->key().starts_with(prefix); more = c->next()) {
    auto key = decode_position_key(c->key());
    auto value = decode_position(c->key(), c->value());
    if (!key || !value) return damaged(key ? key->text() : app, "a position");
    out.push_back({std::move(*key), std::move(*value)});
  }
  if (!more) return fail(more.error());
  return out;
}

result<void> embedded_store::forget_position(const position_key& key) {
  return env_->write([&](lmdb::write_txn& txn) -> result<void> {
    auto gone = txn.erase(positions_, encode_position_key(key));
    if (!gone) return fail(gone.error());
    if (!*gone) return fail(errc::not_found, key.text(), "no such position");
    return {};
  });
}

result<writer_term> embedded_store::term(const lmdb::txn_base& txn, const std::string& app) const {
  auto stored = txn.get(apps_, app);
  if (!stored) return fail(stored.error());
  if (!*stored) return writer_term{0};
  const auto a = decode_app(app, **stored);
  if (!a) return damaged(app, "the term of its writer");
  return a->term;
}

result<writer_term> embedded_store::next_term(const std::string& app, const std::string& instance) {
  writer_term next;
  auto r = env_->write([&](lmdb::write_txn& txn) -> result<void> {
    auto now = term(txn, app);
    if (!now) return fail(now.error());
    next = *now + 1;
    auto put = txn.put(apps_, app, encode(app, stored_app{next, instance}));
    failpoint::hit("log.take_app");
    return put;
  });
  if (!r) return fail(r.error());
  return next;
}

}  // namespace kappa::detail
