#include "lmdb/lmdb.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <system_error>

#include <fmt/format.h>

#include "kappa/core/failpoint.hpp"
#include "kappa/core/folders.hpp"
#include "lmdb/page_file.hpp"

namespace kappa::lmdb {

namespace {

// Files are kept this much longer than their last used page. LMDB does not write a page that a
// transaction took from the end and gave back, so without it a sound file could be shorter than
// its last used page, and "shorter" could not be refused as truncation.
constexpr std::uint64_t ahead_bytes = std::uint64_t{1} << 20;

// The one permitted global: LMDB must not have one file open twice in a process (its locks would
// be lost when the first of the two closes).
struct registry {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::pair<dev_t, ino_t>, std::weak_ptr<environment>> open;
};
registry& the_registry() {
  static registry r;
  return r;
}

errc code_of(int rc) {
  switch (rc) {
    case MDB_NOTFOUND:
    case ENOENT:
      return errc::not_found;
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return errc::no_space;
    case MDB_CORRUPTED:
    case MDB_KEYEXIST:  // only where keys must grow: what is there is not what it should be
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
      return errc::corrupt;
    case MDB_BAD_VALSIZE:
    case EINVAL:
      return errc::invalid_argument;
    case MDB_READERS_FULL:
      return errc::unavailable;
    default:
      return errc::io;
  }
}

// Never over a file that is there: it may be another's, in use. 0, or errno.
int name_new_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return 0;
  if (errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK) return errno;
  // A file system that has no links. One that cannot do this either is refused.
  return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0 ? 0
                                                                                          : errno;
}

// A folder of this call's own, where a file is made that is not to be seen half. It is locked as
// long as it is used; one that is not was left by a process that died, whatever its number was.
class unfinished_folder {
 public:
  /// 0, or errno.
  int make(const std::string& prefix) {
    namespace fs = std::filesystem;
    std::random_device random;
    for (int attempt = 0; attempt < 8; ++attempt) {
      path_ = fmt::format("{}{}-{:08x}{:08x}", prefix, ::getpid(), random(), random());
      std::error_code ec;
      if (!fs::create_directory(path_, ec)) {
        if (ec) return ec.value();
        continue;  // somebody has that name
      }
      const bool locked = lock();
      const int why = errno;
      struct ::stat st {};
      if (locked && ::fstat(fd_, &st) == 0 && st.st_nlink > 0) return 0;
      release();
      // Who removes what was left may have been faster than the lock; else there are no locks here.
      if (!locked && why != EWOULDBLOCK && why != ENOENT) {
        fs::remove(path_, ec);
        return why;
      }
    }
    return EBUSY;
  }
  ~unfinished_folder() {
    if (fd_ < 0) return;
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
    release();
  }
  unfinished_folder() = default;
  unfinished_folder(const unfinished_folder&) = delete;
  unfinished_folder& operator=(const unfinished_folder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  static void remove_left(const std::filesystem::path& folder, const std::string& prefix) {
    namespace fs = std::filesystem;
    std::error_code ec;
    for (fs::directory_iterator at{folder, ec}, end; !ec && at != end; at.increment(ec)) {
      if (!at->path().string().starts_with(prefix)) continue;
      unfinished_folder left;
      left.path_ = at->path();
      if (!left.lock()) left.release();
    }
  }

 private:
  bool lock() {
    fd_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd_ >= 0 && ::flock(fd_, LOCK_EX | LOCK_NB) == 0;
  }
  void release() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  std::filesystem::path path_;
  int fd_ = -1;
};

// LMDB writes the first pages of a new file without waiting for the disk: after a loss of power it
// could be there half, and would be refused as no LMDB file. So it is made in a folder of its own,
// and gets its name once it is on disk. When two processes do so at once the first one wins. (A
// file made with MDB_NOSUBDIR instead would say so for ever, in its flags.)
int make_data_file(const std::filesystem::path& folder, std::uint64_t map_bytes) {
  const auto file = data_file(folder);
  const auto prefix = file.string() + ".new-";
  unfinished_folder::remove_left(folder, prefix);
  unfinished_folder own;
  if (const int made = own.make(prefix); made != 0) return made;
  const auto mine = data_file(own.path());
  MDB_env* env = nullptr;
  int rc = mdb_env_create(&env);
  if (rc == 0) rc = mdb_env_set_mapsize(env, map_bytes);
  if (rc == 0) rc = mdb_env_open(env, own.path().c_str(), MDB_NOLOCK, 0644);
  if (rc == 0) rc = mdb_env_sync(env, 1);
  if (env != nullptr) mdb_env_close(env);
  if (rc == 0) rc = name_new_file(mine, file);
  std::error_code ec;
  return rc != 0 && std::filesystem::exists(file, ec) ? 0 : rc;
}

// LMDB takes the size of pages and the places of its roots from the first two pages as they are: a
// damaged one may crash it. What another process just writes is sound when it is read again.
result<void> check_first_pages(const std::filesystem::path& data) {
  constexpr int attempts = 4;
  std::string fault;
  for (int i = 0; i < attempts; ++i) {
    const auto file = page_file::open(data);
    // None yet, or none at all: LMDB makes it, or says so.
    if (!file || file->file_bytes() < 2 * file->page_bytes()) return {};
    fault.clear();
    const auto metas = file->metas();
    for (std::size_t n = 0; n < metas.size(); ++n) {
      const auto& other = metas[1 - n];
      // A commit that could not write this page left it so: with the number that it had before and
      // the roots that it should have got.
      if (metas[n].only_roots && other.fault.empty() && other.transaction > metas[n].transaction)
        continue;
      if (!metas[n].fault.empty()) fault = fmt::format("page {}: {}", n, metas[n].fault);
    }
    if (fault.empty()) return {};
  }
  return fail(errc::corrupt, data.string(), "damaged: " + fault);
}

}  // namespace

std::filesystem::path data_file(const std::filesystem::path& folder) { return folder / "data.mdb"; }

error environment::failed(int rc, std::string_view what) const {
  std::string message{what};
  message += ": ";
  message += mdb_strerror(rc);
  const auto code = code_of(rc);
  return {code, data_file(folder_).string(), std::move(message),
          code == errc::unavailable || code == errc::no_space};
}

result<std::shared_ptr<environment>> environment::open(const environment_options& options) {
  if (!options.read_only) {
    if (auto made = make_folders(options.folder); !made) return fail(made.error());
  }
  auto& reg = the_registry();
  std::unique_lock lock{reg.mutex};
  for (;;) {
    struct ::stat st {};
    if (::stat(data_file(options.folder).c_str(), &st) != 0) {
      if (errno == ENOENT && options.read_only) {
        return fail(errc::not_found, data_file(options.folder).string(), "there is none");
      }
      break;
    }
    const auto found = reg.open.find({st.st_dev, st.st_ino});
    if (found == reg.open.end()) break;
    if (auto env = found->second.lock()) {
      if (env->read_only_ && !options.read_only) {
        return fail(errc::invalid_argument, data_file(options.folder).string(),
                    "this process has it open read-only; close that first");
      }
      return env;
    }
    reg.changed.wait(lock);  // its last owner is just closing it
  }
  auto env = open_new(options);
  if (!env) return env;
  if (auto named = (*env)->make_name_durable(); !named) return fail(named.error());
  reg.open[(*env)->identity_] = *env;
  (*env)->registered_ = true;
  return env;
}

result<std::shared_ptr<environment>> environment::open_new(const environment_options& options) {
  if (auto ok = check_first_pages(data_file(options.folder)); !ok) return fail(ok.error());
  std::shared_ptr<environment> env{new environment};
  env->folder_ = options.folder;
  env->read_only_ = options.read_only;
  env->process_ = ::getpid();
  std::error_code ec;
  int rc = options.read_only || std::filesystem::exists(data_file(options.folder), ec)
               ? 0
               : make_data_file(options.folder, options.map_bytes);
  if (rc != 0) return fail(env->failed(rc, "make"));
  rc = mdb_env_create(&env->env_);
  if (rc == 0) rc = mdb_env_set_maxdbs(env->env_, options.max_dbs);
  if (rc == 0) rc = mdb_env_set_maxreaders(env->env_, options.max_readers);
  if (rc == 0) rc = mdb_env_set_mapsize(env->env_, options.map_bytes);
  if (rc != 0) return fail(env->failed(rc, "set up"));
  unsigned flags = MDB_NOTLS | (options.read_only ? unsigned{MDB_RDONLY} : 0U);
  if (failpoint::broken("no-fsync")) flags |= MDB_NOSYNC;
  rc = mdb_env_open(env->env_, options.folder.c_str(), flags, 0644);
  if (rc != 0) {
    auto e = env->failed(rc, "open");
    if (rc == ENOENT) e.code = options.read_only ? errc::not_found : errc::io;
    return fail(std::move(e));
  }
  struct ::stat st {};
  if (::stat(data_file(options.folder).c_str(), &st) != 0) {
    return fail(errc::io, data_file(options.folder).string(), std::strerror(errno));
  }
  env->identity_ = {st.st_dev, st.st_ino};
  MDB_stat s{};
  mdb_env_stat(env->env_, &s);
  env->page_bytes_ = s.ms_psize;
  if (auto ok = env->check_file(); !ok) return fail(ok.error());
  if (!options.read_only) env->clean_readers();
  return env;
}

result<void> environment::make_name_durable() const {
  // A commit syncs the file; that the file has a name must be on disk before the first one. Also
  // the folders of a state (partition, stage) in case a process died just after it had made them.
  if (read_only_ || last_transaction() != 0) return {};
  if (failpoint::broken("no-folder-fsync")) return {};
  std::error_code ec;
  auto folder = std::filesystem::absolute(folder_, ec);
  for (int i = 0; i < 3; ++i, folder = folder.parent_path()) {
    if (auto synced = sync_folder(folder); !synced) return synced;
  }
  return {};
}

environment::~environment() {
  // After a fork the child must not touch the parent's locks: leave all as it is.
  if (!env_ || process_ != ::getpid()) return;
  // One that was never registered failed to open, and `open` holds the registry's lock.
  std::unique_lock<std::mutex> lock;
  if (registered_) lock = std::unique_lock{the_registry().mutex};
  for (auto* txn : pool_) mdb_txn_abort(txn);
  mdb_env_close(env_);
  if (!registered_) return;
  the_registry().open.erase(identity_);
  lock.unlock();
  the_registry().changed.notify_all();
}

result<void> environment::check_file() const {
  const auto s = read_stats();
  if (s.file_bytes >= s.used_bytes) return {};
  return fail(errc::corrupt, data_file(folder_).string(),
              "the file is " + std::to_string(s.file_bytes) +
                  " bytes, its last used page ends at " + std::to_string(s.used_bytes) +
                  ": it was cut short");
}

environment_stats environment::stats() {
  enter();  // what it reads is in the map
  const auto out = read_stats();
  leave();
  return out;
}

environment_stats environment::read_stats() const {
  environment_stats out;
  MDB_envinfo info{};
  mdb_env_info(env_, &info);
  int fd = -1;
  struct ::stat st {};
  if (mdb_env_get_fd(env_, &fd) == 0 && ::fstat(fd, &st) == 0) {
    out.file_bytes = static_cast<std::uint64_t>(st.st_size);
  }
  out.map_bytes = info.me_mapsize;
  // A fresh file has its two meta pages only.
  out.used_bytes = (std::uint64_t{info.me_last_pgno} + 1) * page_bytes_;
  out.last_transaction = info.me_last_txnid;
  return out;
}

std::uint64_t environment::last_transaction() const {
  MDB_envinfo info{};
  mdb_env_info(env_, &info);
  return info.me_last_txnid;
}

void environment::keep_file_ahead() {
  const auto s = read_stats();
  if (s.file_bytes >= s.used_bytes + ahead_bytes / 2) return;
  int fd = -1;
  if (mdb_env_get_fd(env_, &fd) != 0) return;
  // Holes only; where the system forbids it the file stays as it is, and all still works.
  const auto wanted = (s.used_bytes + 2 * ahead_bytes) / ahead_bytes * ahead_bytes;
  [[maybe_unused]] const int rc = ::ftruncate(fd, static_cast<off_t>(wanted));
}

bool environment::disk_is_full() const {
  int fd = -1;
  struct ::stat st {};
  struct ::statvfs fs {};
  if (mdb_env_get_fd(env_, &fd) != 0 || ::fstat(fd, &st) != 0 || ::fstatvfs(fd, &fs) != 0) {
    return false;
  }
  const auto free_blocks = ::geteuid() == 0 ? fs.f_bfree : fs.f_bavail;
  struct ::rlimit limit {};
  const bool limited = ::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
                       static_cast<rlim_t>(st.st_size) >= limit.rlim_cur;
  return limited || free_blocks * fs.f_frsize < page_bytes_ * 16;
}

void environment::enter() {
  std::unique_lock lock{gate_mutex_};
  gate_changed_.wait(lock, [&] { return !closed_; });
  ++active_;
}

void environment::leave() {
  bool wake = false;
  {
    const std::lock_guard lock{gate_mutex_};
    wake = --active_ == 0 && closed_;
  }
  if (wake) gate_changed_.notify_all();
}

result<void> environment::change_map(const std::function<std::uint64_t(std::uint64_t)>& size) {
  std::unique_lock lock{gate_mutex_};
  gate_changed_.wait(lock, [&] { return !closed_; });
  closed_ = true;
  gate_changed_.wait(lock, [&] { return active_ == 0; });
  MDB_envinfo info{};
  mdb_env_info(env_, &info);
  const auto wanted = size(info.me_mapsize);
  const int rc = wanted == info.me_mapsize ? 0 : mdb_env_set_mapsize(env_, wanted);
  closed_ = false;
  lock.unlock();
  gate_changed_.notify_all();
  if (rc != 0) return fail(failed(rc, "set the size of the map"));
  return {};
}

result<void> environment::grow(std::uint64_t seen_map_bytes) {
  return change_map([&](std::uint64_t now) { return now > seen_map_bytes ? now : now * 2; });
}

result<void> environment::take_over_map() {
  return change_map([](std::uint64_t) { return std::uint64_t{0}; });
}

int environment::clean_readers() {
  int dead = 0;
  mdb_reader_check(env_, &dead);
  return dead;
}

result<void> environment::start_read(MDB_txn*& txn) {
  for (int attempt = 0;; ++attempt) {
    enter();
    int rc = txn ? mdb_txn_renew(txn) : mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
    // LMDB takes a number, then copies the meta page of that number. Two commits in between, and
    // the page is already that of a later one, which is not yet everybody's: what is read next
    // could be older, and after a loss of power it could be gone.
    while (rc == 0 && last_transaction() > mdb_txn_id(txn) + 1) {
      mdb_txn_reset(txn);
      rc = mdb_txn_renew(txn);
    }
    if (rc == 0) return {};
    leave();
    if (attempt < 8 && rc == MDB_MAP_RESIZED) {
      if (auto r = take_over_map(); !r) return r;
      continue;
    }
    if (attempt < 8 && rc == MDB_READERS_FULL) {
      {
        // Slots of our own that nobody uses now.
        const std::lock_guard lock{pool_mutex_};
        for (auto* pooled : pool_) mdb_txn_abort(pooled);
        pool_.clear();
      }
      clean_readers();
      continue;
    }
    return fail(failed(rc, "begin reading"));
  }
}

result<read_txn> environment::begin_read() {
  MDB_txn* txn = nullptr;
  {
    const std::lock_guard lock{pool_mutex_};
    if (!pool_.empty()) {
      txn = pool_.back();
      pool_.pop_back();
    }
  }
  if (auto r = start_read(txn); !r) {
    if (txn) mdb_txn_abort(txn);
    return fail(r.error());
  }
  return read_txn{shared_from_this(), txn};
}

result<write_txn> environment::begin_write() {
  if (process_ != ::getpid()) bug("an LMDB environment was used after fork");
  if (read_only_) {
    return fail(errc::invalid_argument, data_file(folder_).string(), "it is open read-only");
  }
  for (int attempt = 0;; ++attempt) {
    enter();
    MDB_txn* txn = nullptr;
    const auto dbis_seen = dbis_opened_.load();
    const int rc = mdb_txn_begin(env_, nullptr, 0, &txn);
    if (rc == 0) {
      keep_file_ahead();
      MDB_envinfo info{};
      mdb_env_info(env_, &info);
      return write_txn{shared_from_this(), txn, info.me_mapsize, dbis_seen};
    }
    leave();
    if (attempt < 8 && rc == MDB_MAP_RESIZED) {
      if (auto r = take_over_map(); !r) return fail(r.error());
      continue;
    }
    return fail(failed(rc, "begin writing"));
  }
}

result<void> environment::write(const std::function<result<void>(write_txn&)>& f) {
  for (;;) {
    bool full = false;
    bool too_old = false;
    std::uint64_t seen = 0;
    {
      auto txn = begin_write();
      if (!txn) return fail(txn.error());
      seen = txn->map_bytes();
      auto r = f(*txn);
      full = txn->map_full();
      too_old = txn->too_old();
      if (r) {
        r = txn->commit();
        full = txn->map_full();
        if (r) return {};
      }
      if (!full && !too_old) return r;
    }
    if (!full) continue;
    if (auto r = grow(seen); !r) return r;
  }
}

result<std::optional<dbi>> environment::find_dbi(const std::string& name) {
  for (;;) {
    {
      const std::lock_guard lock{handles_mutex_};
      if (const auto it = handles_.find(name); it != handles_.end()) return it->second;
    }
    // A handle that was opened in a transaction is everybody's only once that one is committed.
    const auto seen = dbis_opened_.load();
    MDB_txn* txn = nullptr;
    if (auto r = start_read(txn); !r) return fail(r.error());
    dbi db;
    int rc = 0;
    bool too_old = false;
    {
      const std::lock_guard one_at_a_time{dbi_mutex_};
      too_old = dbis_opened_ != seen;
      if (!too_old) rc = mdb_dbi_open(txn, name.c_str(), 0, &db.value);
      if (!too_old && rc == 0) {
        rc = mdb_txn_commit(txn);
        if (rc == 0) {
          ++dbis_opened_;
          const std::lock_guard lock{handles_mutex_};
          handles_.insert_or_assign(name, db);
        }
      } else {
        mdb_txn_abort(txn);
      }
    }
    leave();
    if (too_old) continue;
    if (rc == MDB_NOTFOUND) return std::optional<dbi>{};
    if (rc != 0) return fail(failed(rc, "open database " + name));
    return std::optional<dbi>{db};
  }
}

result<dbi> environment::open_dbi(const std::string& name, unsigned flags) {
  auto found = find_dbi(name);
  if (!found) return fail(found.error());
  if (*found) return **found;
  dbi db;
  auto r = write([&](write_txn& txn) -> result<void> {
    auto made = txn.create_dbi(name, flags);
    if (!made) return fail(made.error());
    db = *made;
    return {};
  });
  if (!r) return fail(r.error());
  return db;
}

}  // namespace kappa::lmdb
