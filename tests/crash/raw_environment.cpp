#include "crash/raw_environment.hpp"

#include <stdexcept>

#include <fmt/format.h>

namespace kappa::crash {
namespace {

void must(int rc, const std::string& where) {
  if (rc != MDB_SUCCESS) throw std::runtime_error{where + ": " + mdb_strerror(rc)};
}

std::string_view view(const MDB_val& v) { return {static_cast<const char*>(v.mv_data), v.mv_size}; }

}  // namespace

raw_environment::raw_environment(const std::filesystem::path& folder) : name_{folder.string()} {
  must(mdb_env_create(&env_), name_);
  int rc = mdb_env_set_maxdbs(env_, 4096);
  if (rc == 0) rc = mdb_env_open(env_, folder.c_str(), MDB_RDONLY | MDB_NOLOCK, 0);
  if (rc == 0) rc = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn_);
  if (rc != 0) mdb_env_close(env_);
  must(rc, name_);
}

raw_environment::~raw_environment() {
  mdb_txn_abort(txn_);
  mdb_env_close(env_);
}

void raw_environment::each(const std::string& database, const entry_fn& f) {
  MDB_dbi dbi = 0;
  const auto what = name_ + " " + database;
  must(mdb_dbi_open(txn_, database.c_str(), 0, &dbi), what);
  read(dbi, what, f);
}

void raw_environment::read_all() {
  MDB_dbi main = 0;
  must(mdb_dbi_open(txn_, nullptr, 0, &main), name_);
  read(main, name_, [&](std::string_view database, std::string_view) {
    each(std::string{database}, [](std::string_view, std::string_view) {});
  });
}

std::uint64_t raw_environment::last_transaction() const {
  MDB_envinfo info{};
  mdb_env_info(env_, &info);
  return info.me_last_txnid;
}

void raw_environment::read(MDB_dbi dbi, const std::string& what, const entry_fn& f) {
  MDB_stat said{};
  must(mdb_stat(txn_, dbi, &said), what);
  MDB_cursor* cursor = nullptr;
  must(mdb_cursor_open(txn_, dbi, &cursor), what);
  MDB_val key{};
  MDB_val value{};
  std::size_t n = 0;
  int rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
  for (; rc == MDB_SUCCESS; rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT), ++n)
    f(view(key), view(value));
  mdb_cursor_close(cursor);
  if (rc != MDB_NOTFOUND) must(rc, what);
  if (n != said.ms_entries) {
    throw std::runtime_error{
        fmt::format("{}: the tree has {} entries and says {}", what, n, said.ms_entries)};
  }
}

}  // namespace kappa::crash
