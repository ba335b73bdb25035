// LMDB with owners: environments, transactions, cursors. Private to the log and the state store.
//
// What it takes care of, so that its users need not know:
//  - one environment a file and process: a registry by device and inode hands out the same one;
//  - MDB_NOTLS, so that a read transaction is not bound to a thread;
//  - a full map grows (`environment::write` repeats the transaction), a map that another process
//    grew is taken over;
//  - slots of readers that died are cleaned up;
//  - a file that is shorter than its last used page, or whose first two pages are damaged, is
//    refused.
//
// Threading: an environment may be used from any thread. A read transaction belongs to one thread
// at a time. A write transaction begins, writes and ends on one thread.
// While a thread holds an active read transaction it must not wait for a writer of the same
// environment and not begin a second one: the writer may have to wait for all active transactions
// to end before it can grow the map. Short reads, or `reset` before waiting.
// Ownership: transactions keep their environment alive. Cursors go before their transaction ends.
// Never use an environment after fork: begin a new process image (exec) first.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <lmdb.h>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"

namespace kappa::lmdb {

struct environment_options {
  std::filesystem::path folder;  // made when missing, unless read_only
  /// Address space reserved for the map, bytes; doubles when full.
  std::uint64_t map_bytes = std::uint64_t{16} << 30;
  unsigned max_dbs = 64;
  /// Slots for read transactions over all processes; the first process to open decides.
  unsigned max_readers = 1022;
  bool read_only = false;
};

/// Handle of a named database; valid as long as its environment.
struct dbi {
  MDB_dbi value = 0;
};

/// The database that lists the named ones.
inline constexpr dbi main_dbi{1};

class environment;

/// What read and write transactions have in common: reading.
class txn_base {
 public:
  /// The value, in place: valid until the transaction ends or (in a write transaction) writes.
  [[nodiscard]] result<std::optional<bytes_view>> get(dbi db, bytes_view key) const;
  /// Number of entries.
  [[nodiscard]] result<std::uint64_t> entries(dbi db) const;
  [[nodiscard]] MDB_stat stat(dbi db) const;
  [[nodiscard]] MDB_txn* raw() const { return txn_; }
  [[nodiscard]] environment& env() const { return *env_; }

 protected:
  txn_base() = default;
  txn_base(std::shared_ptr<environment> env, MDB_txn* txn) : env_{std::move(env)}, txn_{txn} {}
  ~txn_base() = default;
  txn_base(txn_base&& other) noexcept
      : env_{std::move(other.env_)}, txn_{std::exchange(other.txn_, nullptr)} {}

  std::shared_ptr<environment> env_;
  MDB_txn* txn_ = nullptr;
  friend class cursor;
};

/// A view of the environment as of its begin. Keep it short, or reset and renew it: pages that it
/// can see are not reused.
class read_txn : public txn_base {
 public:
  read_txn() = default;
  read_txn(read_txn&& other) noexcept
      : txn_base{std::move(other)}, active_{std::exchange(other.active_, false)} {}
  read_txn& operator=(read_txn&& other) noexcept;
  ~read_txn() { end(); }

  /// Lets go of the view, keeps the slot: views into the map are void. `renew` takes a new one.
  void reset();
  [[nodiscard]] result<void> renew();
  [[nodiscard]] bool active() const { return active_; }
  explicit operator bool() const { return txn_ != nullptr; }
  /// Ends it for good.
  void end();

 private:
  friend class environment;
  read_txn(std::shared_ptr<environment> env, MDB_txn* txn)
      : txn_base{std::move(env), txn}, active_{true} {}
  bool active_ = false;
};

/// Changes that become durable together at commit. Aborted when destroyed before.
class write_txn : public txn_base {
 public:
  write_txn(write_txn&& other) noexcept
      : txn_base{std::move(other)},
        map_bytes_{other.map_bytes_},
        map_full_{other.map_full_},
        dbis_seen_{other.dbis_seen_},
        too_old_{other.too_old_},
        opened_{std::move(other.opened_)},
        dbi_lock_{std::move(other.dbi_lock_)} {}
  write_txn& operator=(write_txn&&) = delete;
  ~write_txn() { abort(); }

  [[nodiscard]] result<void> put(dbi db, bytes_view key, bytes_view value, unsigned flags = 0);
  /// Room for a value of `size` bytes, to be filled before the next call.
  [[nodiscard]] result<char*> reserve(dbi db, bytes_view key, std::size_t size, unsigned flags = 0);
  /// False when there was none.
  [[nodiscard]] result<bool> erase(dbi db, bytes_view key);
  /// Removes all entries.
  [[nodiscard]] result<void> clear(dbi db);
  /// The database of that name, made when missing. Usable by others only after commit.
  [[nodiscard]] result<dbi> create_dbi(const std::string& name, unsigned flags = 0);

  /// Durable when it returns well. errc::no_space, errc::io: nothing was written.
  /// errc::indefinite: unknown, and the environment must be opened anew.
  [[nodiscard]] result<void> commit();
  void abort();
  /// A call failed because the map is full: abort, `environment::grow`, and begin again.
  [[nodiscard]] bool map_full() const { return map_full_; }
  /// create_dbi failed because others have opened handles since this one began: abort, begin again.
  [[nodiscard]] bool too_old() const { return too_old_; }
  /// Size of the map that it began with, to say to `grow`.
  [[nodiscard]] std::uint64_t map_bytes() const { return map_bytes_; }

 private:
  friend class environment;
  friend class cursor;
  write_txn(std::shared_ptr<environment> env, MDB_txn* txn, std::uint64_t map_bytes,
            std::uint64_t dbis_seen)
      : txn_base{std::move(env), txn}, map_bytes_{map_bytes}, dbis_seen_{dbis_seen} {}
  void finished();
  [[nodiscard]] error failed(int rc, std::string_view what);

  std::uint64_t map_bytes_ = 0;
  bool map_full_ = false;
  std::uint64_t dbis_seen_ = 0;  // opened in the environment when it began
  bool too_old_ = false;
  std::vector<std::pair<std::string, dbi>> opened_;
  std::unique_lock<std::mutex> dbi_lock_;
};

/// Walks a database in key order. `key` and `value` are valid after a call that gave true.
class cursor {
 public:
  [[nodiscard]] static result<cursor> open(const txn_base& txn, dbi db);
  cursor(cursor&& other) noexcept
      : cursor_{std::exchange(other.cursor_, nullptr)},
        env_{other.env_},
        key_{other.key_},
        value_{other.value_} {}
  cursor& operator=(cursor&&) = delete;
  ~cursor();

  [[nodiscard]] result<bool> first() { return move(MDB_FIRST, {}); }
  [[nodiscard]] result<bool> last() { return move(MDB_LAST, {}); }
  [[nodiscard]] result<bool> next() { return move(MDB_NEXT, {}); }
  [[nodiscard]] result<bool> previous() { return move(MDB_PREV, {}); }
  [[nodiscard]] result<bool> find(bytes_view key) { return move(MDB_SET_KEY, key); }
  [[nodiscard]] result<bool> at_or_after(bytes_view key) { return move(MDB_SET_RANGE, key); }
  [[nodiscard]] bytes_view key() const { return key_; }
  [[nodiscard]] bytes_view value() const { return value_; }
  /// Removes the entry; `next` then gives the one after it. Write transactions only.
  [[nodiscard]] result<void> erase(write_txn& txn);
  /// Writes at the cursor; with MDB_APPEND the keys must come in order. Write transactions only.
  [[nodiscard]] result<void> put(write_txn& txn, bytes_view key, bytes_view value,
                                 unsigned flags = 0);

 private:
  cursor(MDB_cursor* c, environment* env) : cursor_{c}, env_{env} {}
  [[nodiscard]] result<bool> move(MDB_cursor_op op, bytes_view key);

  MDB_cursor* cursor_ = nullptr;
  environment* env_ = nullptr;
  bytes_view key_;
  bytes_view value_;
};

struct environment_stats {
  std::uint64_t map_bytes = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t used_bytes = 0;  // up to the last used page; free pages below it are counted too
  std::uint64_t last_transaction = 0;
};

class environment : public std::enable_shared_from_this<environment> {
 public:
  /// Opens or makes it. The one of this process when it is open already (errc::invalid_argument
  /// when that one is read-only and a writable one is asked for). errc::not_found: read_only and
  /// nothing there. errc::corrupt: not an LMDB file, one whose first pages are damaged, or one that
  /// is shorter than its last used page.
  [[nodiscard]] static result<std::shared_ptr<environment>> open(
      const environment_options& options);
  ~environment();
  environment(const environment&) = delete;
  environment& operator=(const environment&) = delete;

  [[nodiscard]] result<read_txn> begin_read();
  /// Blocks while another thread or process writes.
  [[nodiscard]] result<write_txn> begin_write();

  /// Begins, calls `f(txn)`, commits. When the map is full: grows it and starts over, so `f` may
  /// run several times and must start from the same place each time.
  [[nodiscard]] result<void> write(const std::function<result<void>(write_txn&)>& f);

  /// A database that exists: opened once, then from a table. Nothing: there is none (yet).
  [[nodiscard]] result<std::optional<dbi>> find_dbi(const std::string& name);
  /// Made when missing (which takes a write transaction of its own).
  [[nodiscard]] result<dbi> open_dbi(const std::string& name, unsigned flags = 0);

  /// Makes the map larger, unless it already is larger than `seen_map_bytes` (another thread grew
  /// it). Waits until this process has no active transaction here.
  [[nodiscard]] result<void> grow(std::uint64_t seen_map_bytes);
  /// Frees the slots of readers whose process died; tells how many.
  int clean_readers();

  /// A compact copy as of the last transaction, in a file that must not exist; durable when it
  /// returns. The map cannot grow meanwhile.
  [[nodiscard]] result<void> copy_to(const std::filesystem::path& file);

  [[nodiscard]] environment_stats stats();
  [[nodiscard]] bool read_only() const { return read_only_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] MDB_env* raw() const { return env_; }
  [[nodiscard]] error failed(int rc, std::string_view what) const;

 private:
  friend class read_txn;
  friend class write_txn;

  environment() = default;
  [[nodiscard]] static result<std::shared_ptr<environment>> open_new(
      const environment_options& options);
  [[nodiscard]] result<void> check_file() const;
  [[nodiscard]] result<void> make_name_durable() const;
  [[nodiscard]] std::uint64_t last_transaction() const;
  void enter();
  void leave();
  [[nodiscard]] result<void> change_map(const std::function<std::uint64_t(std::uint64_t)>& size);
  [[nodiscard]] result<void> take_over_map();
  [[nodiscard]] environment_stats read_stats() const;
  /// Begins or renews a read transaction, whatever other processes did to map and slots.
  [[nodiscard]] result<void> start_read(MDB_txn*& txn);
  void keep_file_ahead();
  /// LMDB calls a write that was cut short by a full disk an i/o error.
  [[nodiscard]] bool disk_is_full() const;

  std::filesystem::path folder_;
  MDB_env* env_ = nullptr;
  bool read_only_ = false;
  bool registered_ = false;
  unsigned page_bytes_ = 4096;
  std::pair<dev_t, ino_t> identity_{};
  pid_t process_ = 0;

  // The gate: transactions enter and leave, a change of the map waits until none is in.
  std::mutex gate_mutex_;
  std::condition_variable gate_changed_;
  std::uint64_t active_ = 0;
  bool closed_ = false;

  // Read transactions that were reset, to be renewed: keeps their slots and memory.
  std::mutex pool_mutex_;
  std::vector<MDB_txn*> pool_;

  // LMDB allows one transaction at a time to open handles, and it must have begun after the one
  // before it ended: it takes the next free place as of its beginning, and would give one that is
  // taken by now a second name. The mutex is taken after the transaction began, which may have to
  // wait for others; so whoever has it looks whether a handle was opened since.
  std::mutex dbi_mutex_;
  std::atomic<std::uint64_t> dbis_opened_{0};  // changed under dbi_mutex_
  std::mutex handles_mutex_;
  std::unordered_map<std::string, dbi> handles_;
};

/// Where LMDB keeps its data: "FOLDER/data.mdb".
[[nodiscard]] std::filesystem::path data_file(const std::filesystem::path& folder);

}  // namespace kappa::lmdb
