#include <cerrno>
#include <utility>

#include "lmdb/lmdb.hpp"

namespace kappa::lmdb {

namespace {

constexpr std::size_t max_pooled_readers = 32;

MDB_val to_val(bytes_view b) { return {b.size(), const_cast<char*>(b.data())}; }
bytes_view to_view(const MDB_val& v) { return {static_cast<const char*>(v.mv_data), v.mv_size}; }

}  // namespace

result<std::optional<bytes_view>> txn_base::get(dbi db, bytes_view key) const {
  auto k = to_val(key);
  MDB_val v;
  const int rc = mdb_get(txn_, db.value, &k, &v);
  if (rc == MDB_NOTFOUND) return std::optional<bytes_view>{};
  if (rc != 0) return fail(env_->failed(rc, "get"));
  return std::optional<bytes_view>{to_view(v)};
}

MDB_stat txn_base::stat(dbi db) const {
  MDB_stat s{};
  mdb_stat(txn_, db.value, &s);
  return s;
}

result<std::uint64_t> txn_base::entries(dbi db) const {
  MDB_stat s{};
  if (const int rc = mdb_stat(txn_, db.value, &s); rc != 0) return fail(env_->failed(rc, "stat"));
  return std::uint64_t{s.ms_entries};
}

read_txn& read_txn::operator=(read_txn&& other) noexcept {
  if (this != &other) {
    end();
    env_ = std::move(other.env_);
    txn_ = std::exchange(other.txn_, nullptr);
    active_ = std::exchange(other.active_, false);
  }
  return *this;
}

void read_txn::reset() {
  if (!active_) return;
  mdb_txn_reset(txn_);
  active_ = false;
  env_->leave();
}

result<void> read_txn::renew() {
  reset();
  if (auto r = env_->start_read(txn_); !r) return r;
  active_ = true;
  return {};
}

void read_txn::end() {
  if (!txn_) return;
  reset();
  {
    const std::lock_guard lock{env_->pool_mutex_};
    if (env_->pool_.size() < max_pooled_readers) {
      env_->pool_.push_back(std::exchange(txn_, nullptr));
    }
  }
  if (txn_) mdb_txn_abort(std::exchange(txn_, nullptr));
  env_.reset();
}

error write_txn::failed(int rc, std::string_view what) {
  if (rc == MDB_MAP_FULL) map_full_ = true;
  return env_->failed(rc, what);
}

result<void> write_txn::put(dbi db, bytes_view key, bytes_view value, unsigned flags) {
  auto k = to_val(key);
  auto v = to_val(value);
  if (const int rc = mdb_put(txn_, db.value, &k, &v, flags); rc != 0)
    return fail(failed(rc, "put"));
  return {};
}

result<char*> write_txn::reserve(dbi db, bytes_view key, std::size_t size, unsigned flags) {
  auto k = to_val(key);
  MDB_val v{size, nullptr};
  if (const int rc = mdb_put(txn_, db.value, &k, &v, flags | MDB_RESERVE); rc != 0) {
    return fail(failed(rc, "put"));
  }
  return static_cast<char*>(v.mv_data);
}

result<bool> write_txn::erase(dbi db, bytes_view key) {
  auto k = to_val(key);
  const int rc = mdb_del(txn_, db.value, &k, nullptr);
  if (rc == MDB_NOTFOUND) return false;
  if (rc != 0) return fail(failed(rc, "erase"));
  return true;
}

result<void> write_txn::clear(dbi db) {
  if (const int rc = mdb_drop(txn_, db.value, 0); rc != 0) return fail(failed(rc, "clear"));
  return {};
}

result<dbi> write_txn::create_dbi(const std::string& name, unsigned flags) {
  if (!dbi_lock_.owns_lock()) {
    dbi_lock_ = std::unique_lock{env_->dbi_mutex_};
    if (env_->dbis_opened_ != dbis_seen_) {
      too_old_ = true;
      return fail(errc::unavailable, name, "others have opened databases meanwhile", true);
    }
  }
  dbi db;
  const int rc = mdb_dbi_open(txn_, name.c_str(), flags | MDB_CREATE, &db.value);
  if (rc != 0) return fail(failed(rc, "open database " + name));
  opened_.emplace_back(name, db);
  return db;
}

result<void> write_txn::commit() {
  const int rc = mdb_txn_commit(std::exchange(txn_, nullptr));
  if (rc == 0) {
    const std::lock_guard lock{env_->handles_mutex_};
    for (const auto& [name, db] : opened_) env_->handles_.insert_or_assign(name, db);
    if (!opened_.empty()) ++env_->dbis_opened_;
  }
  error e;
  if (rc != 0) e = failed(rc, "commit");
  const auto env = env_;
  finished();
  if (rc == 0) return {};
  // When the meta page could not be written LMDB does not know what is on disk, and says so to
  // every later transaction.
  MDB_txn* probe = nullptr;
  env->enter();
  const int after = mdb_txn_begin(env->env_, nullptr, MDB_RDONLY, &probe);
  if (after == 0) mdb_txn_abort(probe);
  env->leave();
  if (after == MDB_PANIC) {
    e.code = errc::indefinite;
    e.message += "; the outcome is unknown, open it again";
  } else if (rc == EIO && env->disk_is_full()) {
    e.code = errc::no_space;
    e.retriable = true;
    e.message = "commit: no space left on the disk";
  }
  return fail(std::move(e));
}

void write_txn::abort() {
  if (!txn_) return;
  mdb_txn_abort(std::exchange(txn_, nullptr));
  finished();
}

void write_txn::finished() {
  if (dbi_lock_.owns_lock()) dbi_lock_.unlock();
  opened_.clear();
  const auto env = std::move(env_);
  env->leave();
}

// ---- cursor

result<cursor> cursor::open(const txn_base& txn, dbi db) {
  MDB_cursor* c = nullptr;
  if (const int rc = mdb_cursor_open(txn.raw(), db.value, &c); rc != 0) {
    return fail(txn.env().failed(rc, "open cursor"));
  }
  return cursor{c, &txn.env()};
}

cursor::~cursor() {
  if (cursor_) mdb_cursor_close(cursor_);
}

result<bool> cursor::move(MDB_cursor_op op, bytes_view key) {
  auto k = to_val(key);
  MDB_val v{0, nullptr};
  const int rc = mdb_cursor_get(cursor_, &k, &v, op);
  if (rc == MDB_NOTFOUND) return false;
  if (rc != 0) return fail(env_->failed(rc, "read"));
  key_ = to_view(k);
  value_ = to_view(v);
  return true;
}

result<void> cursor::erase(write_txn& txn) {
  if (const int rc = mdb_cursor_del(cursor_, 0); rc != 0) return fail(txn.failed(rc, "erase"));
  return {};
}

result<void> cursor::put(write_txn& txn, bytes_view key, bytes_view value, unsigned flags) {
  auto k = to_val(key);
  auto v = to_val(value);
  if (const int rc = mdb_cursor_put(cursor_, &k, &v, flags); rc != 0) {
    return fail(txn.failed(rc, "put"));
  }
  return {};
}

}  // namespace kappa::lmdb
