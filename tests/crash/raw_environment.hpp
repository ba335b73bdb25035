// An LMDB environment as the crash tests read it: by itself, without any of the framework's code.
//
// Threading: one thread. No process may be writing it. Errors: throws std::runtime_error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include <lmdb.h>

namespace kappa::crash {

class raw_environment {
 public:
  using entry_fn = std::function<void(std::string_view key, std::string_view value)>;

  explicit raw_environment(const std::filesystem::path& folder);
  raw_environment(const raw_environment&) = delete;
  raw_environment& operator=(const raw_environment&) = delete;
  ~raw_environment();

  /// All entries of a database, in order. The tree must have as many as it says.
  void each(const std::string& database, const entry_fn& f);
  /// All pages of all trees; a tree that is damaged may also crash or hang.
  void read_all();
  /// The number of its last transaction: each that wrote counted one further.
  [[nodiscard]] std::uint64_t last_transaction() const;

 private:
  void read(MDB_dbi dbi, const std::string& what, const entry_fn& f);

  std::string name_;
  MDB_env* env_ = nullptr;
  MDB_txn* txn_ = nullptr;
};

}  // namespace kappa::crash
