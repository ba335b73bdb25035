// What a loss of power has left, looked at before anything runs again.
#include <stdexcept>

#include <fmt/format.h>
#include <lmdb.h>

#include "crash/lab.hpp"

namespace kappa::crash {
namespace {

void must(int rc, const std::string& what) {
  if (rc != MDB_SUCCESS) throw std::runtime_error{what + ": " + mdb_strerror(rc)};
}

class environment {
 public:
  explicit environment(const std::filesystem::path& folder) : name_{folder.string()} {
    must(mdb_env_create(&env_), name_);
    must(mdb_env_set_maxdbs(env_, 4096), name_);
    must(mdb_env_open(env_, folder.c_str(), MDB_RDONLY | MDB_NOLOCK, 0), name_);
    must(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn_), name_);
  }
  environment(const environment&) = delete;
  environment& operator=(const environment&) = delete;
  ~environment() {
    if (txn_ != nullptr) mdb_txn_abort(txn_);
    mdb_env_close(env_);
  }

  /// The number of its last transaction: each that wrote counted one further.
  [[nodiscard]] std::uint64_t last_transaction() const {
    MDB_envinfo info{};
    mdb_env_info(env_, &info);
    return info.me_last_txnid;
  }

  /// All pages of all trees, or it throws; a tree that is damaged may also crash or hang.
  void read_all() {
    MDB_dbi main = 0;
    must(mdb_dbi_open(txn_, nullptr, 0, &main), name_);
    read(main, [&](const MDB_val& key) {
      const std::string database{static_cast<const char*>(key.mv_data), key.mv_size};
      MDB_dbi dbi = 0;
      must(mdb_dbi_open(txn_, database.c_str(), 0, &dbi), name_ + " " + database);
      read(dbi, [](const MDB_val&) {});
    });
  }

 private:
  template <class F>
  void read(MDB_dbi dbi, F each) {
    MDB_stat said{};
    must(mdb_stat(txn_, dbi, &said), name_);
    MDB_cursor* cursor = nullptr;
    must(mdb_cursor_open(txn_, dbi, &cursor), name_);
    MDB_val key{};
    MDB_val value{};
    std::size_t n = 0;
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    for (; rc == MDB_SUCCESS; rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
      each(key);
      ++n;
    }
    mdb_cursor_close(cursor);
    if (rc != MDB_NOTFOUND) must(rc, name_);
    if (n != said.ms_entries)
      throw std::runtime_error{
          fmt::format("{}: a tree has {} entries and says {}", name_, n, said.ms_entries)};
  }

  std::string name_;
  MDB_env* env_ = nullptr;
  MDB_txn* txn_ = nullptr;
};

bool has_environment(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / "data.mdb");
}

}  // namespace

std::vector<std::string> wrong_after_loss(const std::filesystem::path& log,
                                          const std::filesystem::path& state, std::uint64_t t1,
                                          std::uint64_t t2) {
  std::vector<std::string> out;
  const auto number_of = [&](const std::filesystem::path& folder) -> std::uint64_t {
    try {
      environment env{folder};
      env.read_all();
      return env.last_transaction();
    } catch (const std::exception& e) {
      out.push_back(fmt::format("damaged: {}", e.what()));
      return UINT64_MAX / 4096;
    }
  };
  const auto compare = [&](const char* what, std::uint64_t there, std::uint64_t promised) {
    if (there < promised)
      out.push_back(fmt::format("lost: {} {} had returned, {} are there", promised, what, there));
  };
  const auto in_log = has_environment(log) ? number_of(log) : 0;
  compare("T1", in_log, t1);
  try {
    if (out.empty() && in_log != 0 && t1 != 0) (void)read_raw_log(log);
  } catch (const std::exception& e) {
    out.push_back(fmt::format("damaged: {}", e.what()));
  }
  std::uint64_t in_states = 0;
  if (std::filesystem::exists(state)) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator{state}) {
      if (entry.is_directory() && has_environment(entry.path()))
        in_states += number_of(entry.path());
    }
  }
  compare("T2", in_states, t2);
  return out;
}

}  // namespace kappa::crash
