#include "state/lmdb_store.hpp"

#include <algorithm>
#include <system_error>

#include <fmt/format.h>

#include "kappa/core/failpoint.hpp"
#include "state/sort_by_key.hpp"
#include "state/state_meta.hpp"
#include "state/stored_form.hpp"

namespace kappa::detail {

namespace {

namespace names = state_names;

// A long scan lets go of its view now and then, or the pages that commits free could not be reused.
constexpr std::size_t entries_per_view = 1024;
constexpr std::size_t bytes_per_view = std::size_t{1} << 20;

/// The order of a delta's keys; empty when they are in order already.
std::vector<std::uint32_t> sorted(const table_delta& delta) {
  std::vector<std::uint32_t> order;
  if (delta.sorted()) return order;
  struct prefixed {
    std::uint64_t prefix;
    std::uint32_t index;
  };
  std::vector<prefixed> items;
  items.reserve(delta.size());
  for (std::uint32_t i = 0; i < delta.size(); ++i) items.push_back({key_prefix(delta.key(i)), i});
  std::sort(items.begin(), items.end(), [&](const prefixed& a, const prefixed& b) {
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    return delta.key(a.index) < delta.key(b.index);
  });
  order.reserve(items.size());
  for (const auto& item : items) order.push_back(item.index);
  return order;
}

template <class T>
bytes number(T v) {
  bytes out;
  byte_writer{out}.put(v);
  return out;
}

}  // namespace

/// The owner's view of the environment for the length of one call.
class lmdb_store::reading {
 public:
  explicit reading(lmdb_store& store) : store_{store} {
    if (store_.reads_++ == 0) ok_ = store_.read_.renew();
  }
  ~reading() {
    if (--store_.reads_ == 0) store_.read_.reset();
  }
  reading(const reading&) = delete;
  reading& operator=(const reading&) = delete;
  [[nodiscard]] const result<void>& ok() const { return ok_; }
  [[nodiscard]] bool outermost() const { return store_.reads_ == 1; }

 private:
  lmdb_store& store_;
  result<void> ok_;
};

// ---- open -------------------------------------------------------------------------------------

result<std::unique_ptr<lmdb_store>> lmdb_store::open(const state_store_options& options,
                                                     long_key_hash hash) {
  std::unique_ptr<lmdb_store> store{new lmdb_store};
  store->identity_ = options.identity;
  store->folder_ = options.folder.string();
  store->read_only_ = options.read_only;
  store->hash_ = hash;
  store->meta_seed_ = table_seed(names::meta_name);
  for (const auto& spec : options.tables) {
    store->tables_.push_back({spec.name, spec.schema, table_seed(spec.name), {}});
  }
  lmdb::environment_options env;
  env.folder = options.folder;
  env.map_bytes = options.map_bytes;
  env.max_dbs = static_cast<unsigned>(options.tables.size()) + 16;  // tables of other versions
  env.read_only = options.read_only;
  auto opened = lmdb::environment::open(env);
  if (!opened) {
    auto e = opened.error();
    if (e.code == errc::corrupt) {
      e.message += fmt::format("; remove {} to rebuild the state from the log", store->folder_);
    }
    return fail(std::move(e));
  }
  store->env_ = std::move(*opened);

  auto meta = store->env_->find_dbi(names::meta_name);
  if (!meta) return fail(std::move(meta.error()));
  store->meta_ = *meta;
  MDB_stat main{};
  mdb_env_stat(store->env_->raw(), &main);
  if (!store->meta_ && main.ms_entries > 0) {
    return fail(errc::incompatible, text_of(options.identity),
                fmt::format("{} holds an LMDB environment that is no state of Kappa's: choose "
                            "another state folder",
                            store->folder_));
  }
  if (!store->meta_ && options.read_only) {
    return fail(errc::not_found, text_of(options.identity),
                fmt::format("no state in {} yet", store->folder_));
  }
  auto read = store->env_->begin_read();
  if (!read) return fail(std::move(read.error()));
  store->read_ = std::move(*read);
  store->read_.reset();
  if (store->meta_) {
    if (auto ok = store->check_meta(); !ok) return fail(std::move(ok.error()));
  }
  if (auto ok = store->make(); !ok) return fail(std::move(ok.error()));
  if (!options.read_only) {
    if (auto ok = store->take_over(); !ok) return fail(std::move(ok.error()));
  }
  if (auto ok = store->read_snapshot(); !ok) return fail(std::move(ok.error()));
  return store;
}

result<std::optional<bytes>> lmdb_store::meta(bytes_view key) {
  const reading view{*this};
  if (!view.ok()) return fail(view.ok().error());
  auto stored = read_.get(*meta_, key);
  if (!stored) return fail(std::move(stored.error()));
  if (!*stored) return std::nullopt;
  const auto value = read_value(meta_seed_, key, **stored);
  if (!value) {
    return fail(
        errc::corrupt, fmt::format("{} {}", text_of(identity_), key),
        fmt::format("the checksum is wrong: remove {} to rebuild the state from the log", folder_));
  }
  return bytes{*value};
}

result<void> lmdb_store::check_meta() {
  // The form of the format's own entry never changes.
  auto format = meta(names::format_key);
  if (!format) return fail(std::move(format.error()));
  auto identity = meta(names::identity_key);
  if (!identity) return fail(std::move(identity.error()));
  if (!*format || !*identity) {
    return fail(errc::corrupt, text_of(identity_),
                fmt::format("the state in {} lacks its identity: remove the folder to rebuild it "
                            "from the log",
                            folder_));
  }
  const auto version = byte_reader{**format}.get<std::uint32_t>();
  if (version > state_format) {
    return fail(errc::incompatible, text_of(identity_),
                fmt::format("the state in {} has format {}, this Kappa reads up to {}: use the "
                            "newer Kappa, or remove the folder to rebuild it from the log",
                            folder_, version, state_format));
  }
  auto stored = decode_identity(**identity);
  if (!stored) return fail(errc::corrupt, text_of(identity_), stored.error().text());
  if (auto ok = check_identity(identity_, *stored, folder_); !ok) return ok;

  for (const auto& t : tables_) {
    auto bytes_of_schema = meta(names::schema_key(t.name));
    if (!bytes_of_schema) return fail(std::move(bytes_of_schema.error()));
    if (!*bytes_of_schema) continue;
    auto schema = decode_schema(**bytes_of_schema);
    if (!schema) return fail(errc::corrupt, text_of(identity_), schema.error().text());
    if (auto ok = check_schema(identity_, {t.name, t.schema}, *schema); !ok) return ok;
    if (!same_schema(t.schema, *schema)) schemas_pending_ = true;
  }

  return {};
}

// Whoever opens the state to write takes it: an earlier owner, perhaps another process whose last
// snapshot is still on its way to the disk, can write no more after this, and what it had written
// before is read below.
result<void> lmdb_store::take_over() {
  return env_->write([&](lmdb::write_txn& txn) -> result<void> {
    auto owner = stored_owner(txn);
    if (!owner) return fail(std::move(owner.error()));
    owner_ = *owner + 1;
    return put_meta(txn, names::owner_key, number(owner_));
  });
}

result<std::uint64_t> lmdb_store::stored_owner(lmdb::write_txn& txn) const {
  auto stored = txn.get(*meta_, names::owner_key);
  if (!stored) return fail(std::move(stored.error()));
  if (!*stored) return 0;
  const auto value = read_value(meta_seed_, names::owner_key, **stored);
  if (!value) {
    return fail(
        errc::corrupt, fmt::format("{} {}", text_of(identity_), names::owner_key),
        fmt::format("the checksum is wrong: remove {} to rebuild the state from the log", folder_));
  }
  return byte_reader{*value}.get<std::uint64_t>();
}

result<void> lmdb_store::read_snapshot() {
  auto epoch = meta(names::epoch_key);
  if (!epoch) return fail(std::move(epoch.error()));
  auto snapshot = meta(names::snapshot_key);
  if (!snapshot) return fail(std::move(snapshot.error()));
  if (*epoch && *snapshot) {
    epoch_ = epoch_number{byte_reader{**epoch}.get<std::uint64_t>()};
    snapshot_ = std::move(*snapshot);
  }
  return {};
}

result<void> lmdb_store::put_meta(lmdb::write_txn& txn, bytes_view key, bytes_view value) const {
  bytes stored;
  store_value(meta_seed_, key, value, stored);
  return txn.put(*meta_, key, stored);
}

result<void> lmdb_store::make() {
  bool complete = meta_.has_value();
  for (auto& t : tables_) {
    auto dbi = env_->find_dbi(names::table_prefix + t.name);
    if (!dbi) return fail(std::move(dbi.error()));
    if (*dbi) {
      t.dbi = **dbi;
    } else if (read_only_) {
      return fail(errc::not_found, fmt::format("{} {}", text_of(identity_), t.name),
                  fmt::format("the state in {} has no such table", folder_));
    } else {
      complete = false;
    }
  }
  if (complete) return {};
  const bool fresh = !meta_;
  return env_->write([&](lmdb::write_txn& txn) -> result<void> {
    auto meta = txn.create_dbi(names::meta_name);
    if (!meta) return fail(std::move(meta.error()));
    meta_ = *meta;
    if (fresh) {
      if (auto ok = put_meta(txn, names::format_key, number(state_format)); !ok) return ok;
      if (auto ok = put_meta(txn, names::identity_key, encode_identity(identity_)); !ok) return ok;
    }
    for (auto& t : tables_) {
      auto dbi = txn.create_dbi(names::table_prefix + t.name);
      if (!dbi) return fail(std::move(dbi.error()));
      t.dbi = *dbi;
      // A table's schema is stored with its making: values cannot come before it.
      auto known = txn.get(*meta_, names::schema_key(t.name));
      if (!known) return fail(std::move(known.error()));
      if (*known) continue;
      if (auto ok = put_meta(txn, names::schema_key(t.name), encode_schema(t.schema)); !ok)
        return ok;
    }
    return {};
  });
}

// ---- reads ------------------------------------------------------------------------------------

std::optional<bytes> lmdb_store::snapshot() const {
  const std::lock_guard lock{mutex_};
  return snapshot_;
}

epoch_number lmdb_store::epoch() const {
  const std::lock_guard lock{mutex_};
  return epoch_;
}

std::string lmdb_store::subject(std::size_t table, bytes_view key) const {
  auto out = fmt::format("{} {}", text_of(identity_), tables_.at(table).name);
  if (!key.empty()) out += " " + printable(key);
  return out;
}

tl::unexpected<error> lmdb_store::damaged(const stored_table& t, bytes_view key) const {
  return fail(errc::corrupt, fmt::format("{} {} {}", text_of(identity_), t.name, printable(key)),
              fmt::format("the stored value's checksum is wrong: remove {} to rebuild the state "
                          "from the log",
                          folder_));
}

result<bool> lmdb_store::get(std::size_t table, bytes_view key, bytes& out) {
  const auto& t = tables_.at(table);
  const reading view{*this};
  if (!view.ok()) return fail(view.ok().error());
  const bool is_long = key.size() > max_ordered_key_bytes;
  if (is_long) {
    store_long_key(hash_(key), key_scratch_);
  } else {
    store_key(key, key_scratch_);
  }
  auto stored = read_.get(t.dbi, key_scratch_);
  if (!stored) return fail(std::move(stored.error()));
  if (!*stored) return false;
  if (is_long) {
    bytes_view value;
    switch (find_item(t.seed, **stored, key, value)) {
      case item_search::absent:
        return false;
      case item_search::damaged:
        return damaged(t, key);
      case item_search::found:
        break;
    }
    out.assign(value);
    return true;
  }
  const auto value = read_value(t.seed, key, **stored);
  if (!value) return damaged(t, key);
  out.assign(*value);
  return true;
}

result<bool> lmdb_store::has_long_keys(const stored_table& t) const {
  auto cursor = lmdb::cursor::open(read_, t.dbi);
  if (!cursor) return fail(std::move(cursor.error()));
  return cursor->at_or_after(bytes_view{&long_key_tag, 1});
}

namespace {

/// Values in the map lie on any even address; codecs may want them aligned.
bytes_view aligned(bytes_view value, bytes& scratch) {
  if (reinterpret_cast<std::uintptr_t>(value.data()) % 8 == 0) return value;
  scratch.assign(value);
  return scratch;
}

}  // namespace

result<void> lmdb_store::scan(std::size_t table, bytes_view from, bytes_view to, const scan_fn& f) {
  const auto& t = tables_.at(table);
  const reading view{*this};
  if (!view.ok()) return view.ok();
  auto any_long = has_long_keys(t);
  if (!any_long) return fail(std::move(any_long.error()));
  if (*any_long) {
    return fail(errc::invalid_argument, subject(table, {}),
                fmt::format("holds keys of more than {} bytes, which are kept under a hash: it "
                            "cannot be scanned by range",
                            max_ordered_key_bytes));
  }
  bytes at{short_key_tag};
  at.append(from);
  bool skip_first = false;
  bytes scratch;
  for (;;) {
    auto cursor = lmdb::cursor::open(read_, t.dbi);
    if (!cursor) return fail(std::move(cursor.error()));
    auto found = cursor->at_or_after(at);
    if (found && *found && skip_first && cursor->key() == at) found = cursor->next();
    std::size_t entries = 0;
    std::size_t size = 0;
    for (;; found = cursor->next()) {
      if (!found) return fail(std::move(found.error()));
      if (!*found || cursor->key().front() != short_key_tag) return {};
      const auto key = cursor->key().substr(1);
      if (!to.empty() && key >= to) return {};
      const auto value = read_value(t.seed, key, cursor->value());
      if (!value) return damaged(t, key);
      if (!f(key, aligned(*value, scratch))) return {};
      size += value->size();
      if (read_only_ || !view.outermost()) continue;
      if (++entries >= entries_per_view || size >= bytes_per_view) {
        at.assign(cursor->key());
        break;
      }
    }
    skip_first = true;
    { const auto closed = std::move(*cursor); }  // before its transaction ends
    if (auto ok = read_.renew(); !ok) return ok;
  }
}

result<void> lmdb_store::scan_all(std::size_t table, const scan_fn& f) {
  const auto& t = tables_.at(table);
  const reading view{*this};
  if (!view.ok()) return view.ok();
  bytes at;
  bytes scratch;
  for (;;) {
    auto cursor = lmdb::cursor::open(read_, t.dbi);
    if (!cursor) return fail(std::move(cursor.error()));
    auto found = at.empty() ? cursor->first() : cursor->at_or_after(at);
    if (found && *found && !at.empty() && cursor->key() == at) found = cursor->next();
    std::size_t entries = 0;
    std::size_t size = 0;
    for (;; found = cursor->next()) {
      if (!found) return fail(std::move(found.error()));
      if (!*found) return {};
      const auto key = cursor->key();
      auto stored = cursor->value();
      size += stored.size();
      if (key.front() == short_key_tag) {
        const auto value = read_value(t.seed, key.substr(1), stored);
        if (!value) return damaged(t, key.substr(1));
        if (!f(key.substr(1), aligned(*value, scratch))) return {};
      } else {
        while (!stored.empty()) {
          const auto item = take_item(stored);
          if (!item || item->checksum != value_checksum(t.seed, item->key, item->value)) {
            return damaged(t, item ? item->key : key);
          }
          if (!f(item->key, aligned(item->value, scratch))) return {};
        }
      }
      if (read_only_ || !view.outermost()) continue;
      if (++entries >= entries_per_view || size >= bytes_per_view) {
        at.assign(cursor->key());
        break;
      }
    }
    { const auto closed = std::move(*cursor); }  // before its transaction ends
    if (auto ok = read_.renew(); !ok) return ok;
  }
}

result<state_stats> lmdb_store::stats() {
  const auto env = env_->stats();
  state_stats out{env.file_bytes, env.used_bytes, 0};
  const reading view{*this};
  if (!view.ok()) return fail(view.ok().error());
  for (const auto& t : tables_) {
    auto n = read_.entries(t.dbi);
    if (!n) return fail(std::move(n.error()));
    out.entries += *n;
  }
  return out;
}

// ---- commit -----------------------------------------------------------------------------------

result<void> lmdb_store::commit(const state_delta& delta) {
  failpoint::hit("state.begin");
  if (delta.tables.size() != tables_.size()) bug("a state delta has another number of tables");
  if (delta.epoch < epoch()) bug("a state delta is of an epoch before the last one");
  auto ok = env_->write([&](lmdb::write_txn& txn) -> result<void> {
    const auto owner = stored_owner(txn);
    if (!owner) return fail(owner.error());
    if (*owner != owner_)
      return fail(errc::fenced, text_of(identity_), "the state was opened by another owner since");
    for (std::size_t i = 0; i < tables_.size(); ++i) {
      if (delta.tables[i] == nullptr) continue;
      if (auto written = write_table(txn, tables_[i], *delta.tables[i]); !written) return written;
    }
    failpoint::hit("state.after_tables");
    if (schemas_pending_) {
      for (const auto& t : tables_) {
        auto put = put_meta(txn, names::schema_key(t.name), encode_schema(t.schema));
        if (!put) return put;
      }
    }
    if (auto put = put_meta(txn, names::epoch_key, number(delta.epoch.value)); !put) return put;
    if (auto put = put_meta(txn, names::snapshot_key, delta.snapshot); !put) return put;
    failpoint::hit("state.before_commit");
    return {};
  });
  if (!ok) {
    return fail(
        ok.error().code, text_of(identity_),
        fmt::format("the snapshot of epoch {} was not written: {}", delta.epoch, ok.error().text()),
        ok.error().retriable || ok.error().code == errc::no_space);
  }
  failpoint::hit("state.after_commit");
  schemas_pending_ = false;
  const std::lock_guard lock{mutex_};
  epoch_ = delta.epoch;
  snapshot_ = delta.snapshot;
  return {};
}

result<void> lmdb_store::write_table(lmdb::write_txn& txn, const stored_table& t,
                                     const table_delta& delta) const {
  const auto in_order = sorted(delta);
  auto cursor = lmdb::cursor::open(txn, t.dbi);
  if (!cursor) return fail(std::move(cursor.error()));
  std::vector<table_delta::change> long_keys;
  bytes key;
  bytes stored;
  for (std::size_t i = 0; i < delta.size(); ++i) {
    const auto change = delta[in_order.empty() ? i : in_order[i]];
    if (change.key.size() > max_ordered_key_bytes) {
      long_keys.push_back(change);
      continue;
    }
    store_key(change.key, key);
    if (change.value) {
      store_value(t.seed, change.key, *change.value, stored);
      if (auto ok = cursor->put(txn, key, stored); !ok) return ok;
    } else {
      auto found = cursor->find(key);
      if (!found) return fail(std::move(found.error()));
      if (!*found) continue;
      if (auto ok = cursor->erase(txn); !ok) return ok;
    }
  }
  return write_long_keys(txn, t, long_keys);
}

result<void> lmdb_store::write_long_keys(lmdb::write_txn& txn, const stored_table& t,
                                         const std::vector<table_delta::change>& changes) const {
  bytes key;
  bytes list;
  for (const auto& change : changes) {
    store_long_key(hash_(change.key), key);
    auto old = txn.get(t.dbi, key);
    if (!old) return fail(std::move(old.error()));
    if (!change_item(t.seed, old->value_or(bytes_view{}), change.key, change.value, list)) {
      return damaged(t, change.key);
    }
    if (!list.empty()) {
      if (auto ok = txn.put(t.dbi, key, list); !ok) return ok;
    } else if (*old) {
      auto erased = txn.erase(t.dbi, key);
      if (!erased) return fail(std::move(erased.error()));
    }
  }
  return {};
}

}  // namespace kappa::detail
