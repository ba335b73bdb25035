// LD_PRELOADed into the program under test: puts what is overwritten, and every sync, into the
// journal (journal.hpp), and passes all on to the kernel. From then on what was written and not
// synced can be taken back.
//
//   KAPPA_POWER_JOURNAL   the journal's folder; without it all is passed on
//   KAPPA_POWER_FOLDERS   what is looked after: folders with all in them, separated by colons
//   KAPPA_POWER_CUT       the number of the step (write, sync, change of names) at which the
//   process
//                         dies, before it is done
//   KAPPA_POWER_IGNORE    "syncs": fsync and fdatasync of files do nothing, but writes to O_DSYNC
//                         descriptors are durable, which no disk does: the worst order of writes
//
// Looked after are the calls at the end of this file, which are those that Kappa and LMDB make;
// what Kappa does not need (O_TMPFILE, a file moved to another folder) ends the process. Streams
// are not looked after.
//
// Threading: any. A write is done with the journal's lock held, so that entries are in the order of
// the writes.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "crash/power/journal.hpp"

namespace {

using namespace kappa::crash::power;

// ---- what is looked after ----

struct shim {
  journal entries;
  std::vector<std::string> folders;
  std::uint64_t cut = 0;
  bool ignore_syncs = false;
  std::mutex files_mutex;
  std::set<std::uint64_t> files;  // inodes
  // Writable and shared: inode, from, to. With the journal's lock held.
  std::set<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>> maps;
};

// Null: the program runs without.
shim* the_shim() {
  static shim* const s = []() -> shim* {
    const char* folder = std::getenv("KAPPA_POWER_JOURNAL");
    if (folder == nullptr || *folder == '\0') return nullptr;
    auto* made = new shim{journal{folder}, {}, 0, false, {}, {}, {}};  // as long as the process
    std::string all = std::getenv("KAPPA_POWER_FOLDERS") ? std::getenv("KAPPA_POWER_FOLDERS") : "";
    for (std::size_t at = 0; at < all.size();) {
      const auto end = std::min(all.find(':', at), all.size());
      made->folders.push_back(all.substr(at, end - at));
      at = end + 1;
    }
    if (const char* cut = std::getenv("KAPPA_POWER_CUT"))
      made->cut = std::strtoull(cut, nullptr, 10);
    if (const char* ignore = std::getenv("KAPPA_POWER_IGNORE"))
      made->ignore_syncs = std::string_view{ignore} == "syncs";
    return made;
  }();
  return s;
}

std::string of_descriptor(int fd) {
  char name[PATH_MAX];
  const auto n = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), name, sizeof name);
  return n > 0 ? std::string{name, static_cast<std::size_t>(n)} : std::string{};
}

// Absolute, without "." and "..".
std::string absolute(int folder, const char* path) {
  std::string whole = path;
  if (path[0] != '/') {
    char here[PATH_MAX];
    const auto base = folder != AT_FDCWD            ? of_descriptor(folder)
                      : ::getcwd(here, sizeof here) ? std::string{here}
                                                    : std::string{};
    whole = base + "/" + path;
  }
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < whole.size();) {
    const auto end = std::min(whole.find('/', at), whole.size());
    const auto part = whole.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  std::string out;
  for (const auto& p : parts) out += "/" + p;
  return out;
}

// In one of the folders, or one of them itself.
bool is_ours(const shim& s, const std::string& path) {
  return std::any_of(s.folders.begin(), s.folders.end(), [&](const std::string& f) {
    return path.starts_with(f) && (path.size() == f.size() || path[f.size()] == '/');
  });
}

// Its inode; 0: there is none.
std::uint64_t inode_of(const std::string& path) {
  struct ::stat st {};
  return ::lstat(path.c_str(), &st) == 0 ? st.st_ino : 0;
}

// Gives a file its second name.
void keep(shim& s, std::uint64_t inode, const std::string& path) {
  {
    const std::lock_guard lock{s.files_mutex};
    if (!s.files.insert(inode).second) return;
  }
  const auto second = s.entries.file_name(inode);
  if (::syscall(SYS_linkat, AT_FDCWD, path.c_str(), AT_FDCWD, second.c_str(), 0) != 0 &&
      errno != EEXIST)
    die("a second name for " + path);
}

// The file behind a descriptor, when it is one that is looked after.
struct watched {
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  int fd = -1;
  int flags = 0;
  explicit operator bool() const { return inode != 0; }
};

watched file_of(shim* s, int fd) {
  if (s == nullptr) return {};
  struct ::stat st {};
  const int kept = errno;
  if (::fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
    errno = kept;
    return {};
  }
  {
    const std::lock_guard lock{s->files_mutex};
    if (!s->files.contains(st.st_ino)) return {};
  }
  return {st.st_ino, static_cast<std::uint64_t>(st.st_size), fd, ::fcntl(fd, F_GETFL)};
}

// ---- steps ----

// While it lives the journal is held, and nobody else writes.
class step {
 public:
  explicit step(shim& s) : s_{s} {
    s_.entries.lock();
    if (s_.entries.next_step() != s_.cut) return;
    ::kill(::getpid(), SIGKILL);
    for (;;) ::pause();
  }
  step(const step&) = delete;
  step& operator=(const step&) = delete;
  ~step() {
    const int kept = errno;
    s_.entries.unlock();
    errno = kept;
  }

 private:
  shim& s_;
};

// What is there, in whole sectors; zeros behind the end.
std::string sectors(const shim& s, const watched& f, std::uint64_t from, std::uint64_t to) {
  std::string out(to - from, '\0');
  // Its own descriptor where it can: a close of another one would drop the process's fcntl locks.
  const bool own = f.fd >= 0 && (f.flags & O_ACCMODE) != O_WRONLY;
  const auto name = s.entries.file_name(f.inode);
  const auto fd = own ? f.fd : ::syscall(SYS_openat, AT_FDCWD, name.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) die(name);
  std::uint64_t at = 0;
  while (at < out.size()) {
    const auto n = ::syscall(SYS_pread64, fd, out.data() + at, out.size() - at, from + at);
    if (n < 0) die(name);
    if (n == 0) break;
    at += static_cast<std::uint64_t>(n);
  }
  if (!own) ::syscall(SYS_close, fd);
  return out;
}

void keep_content(shim& s, const watched& f, std::uint64_t from, std::uint64_t to,
                  kind what = kind::content) {
  from = from / sector_bytes * sector_bytes;
  to = (to + sector_bytes - 1) / sector_bytes * sector_bytes;
  if (from >= to) return;
  entry e;
  e.what = what;
  e.file = f.inode;
  e.offset = from;
  e.length = to - from;
  s.entries.add(e, sectors(s, f, from, to));
}

void keep_size(shim& s, const watched& f, std::uint64_t now) {
  if (now == f.size) return;
  entry e;
  e.what = kind::size;
  e.file = f.inode;
  e.offset = f.size;
  s.entries.add(e, {});
}

void note_range(shim& s, std::uint64_t inode, std::uint64_t offset, std::uint64_t length) {
  entry e;
  e.what = kind::synced_range;
  e.file = inode;
  e.offset = offset;
  e.length = length;
  e.upto = s.entries.last_number();
  s.entries.add(e, {});
}

void note_synced(shim& s, std::uint64_t inode, std::uint64_t upto) {
  entry e;
  e.what = kind::synced;
  e.file = inode;
  e.upto = upto;
  s.entries.add(e, {});
}

void note_name(shim& s, kind what, const std::string& path, std::uint64_t file = 0,
               std::uint64_t replaced = 0) {
  entry e;
  e.what = what;
  e.file = file;
  e.offset = replaced;
  s.entries.add(e, path);
}

// Where the next `write` goes.
std::uint64_t place_of(const watched& f) {
  if ((f.flags & O_APPEND) != 0) return f.size;
  return static_cast<std::uint64_t>(::lseek(f.fd, 0, SEEK_CUR));
}

// Without an offset, where the descriptor is.
template <class F>
ssize_t write_at(int fd, std::optional<off_t> offset, std::uint64_t bytes, F pass_on) {
  auto* s = the_shim();
  if (!file_of(s, fd)) return pass_on();
  const step held{*s};
  const auto f = file_of(s, fd);  // as it is now that nobody else writes
  const auto from = offset ? static_cast<std::uint64_t>(*offset) : place_of(f);
  keep_content(*s, f, from, from + bytes);
  keep_size(*s, f, std::max(f.size, from + bytes));
  const auto n = pass_on();
  if (n > 0 && (f.flags & O_DSYNC) != 0)  // O_SYNC has that bit too
    note_range(*s, f.inode, from, static_cast<std::uint64_t>(n));
  return n;
}

std::uint64_t bytes_of(const iovec* parts, int n) {
  std::uint64_t all = 0;
  for (int i = 0; i < n; ++i) all += parts[i].iov_len;
  return all;
}

// Mapped pages change unseen: what they were at the last sync is what counts.
void keep_maps(shim& s, const watched& f) {
  for (const auto& [of, from, to] : s.maps) {
    if (of == f.inode) keep_content(s, f, from, to, kind::mapped);
  }
}

int sync_file(shim& s, int fd, const watched& f, long call) {
  std::uint64_t upto = 0;
  {
    const step held{s};
    upto = s.entries.last_number();
    keep_maps(s, f);
  }
  if (s.ignore_syncs) return 0;
  const auto rc = ::syscall(call, fd);  // without the lock: others write meanwhile
  if (rc == 0) {
    const step held{s};
    note_synced(s, f.inode, upto);
  }
  return static_cast<int>(rc);
}

int sync(int fd, long call) {
  auto* s = the_shim();
  if (const auto f = file_of(s, fd)) return sync_file(*s, fd, f, call);
  struct ::stat st {};
  if (s == nullptr || ::fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode))
    return static_cast<int>(::syscall(call, fd));
  const auto path = of_descriptor(fd);
  const step held{*s};
  const auto rc = ::syscall(call, fd);
  if (rc == 0) {
    entry e;
    e.what = kind::synced_folder;
    e.upto = s->entries.last_number();
    s->entries.add(e, path);
  }
  return static_cast<int>(rc);
}

int open_file(int folder, const char* path, int flags, mode_t mode) {
  auto* s = the_shim();
  const auto pass_on = [&] {
    return static_cast<int>(::syscall(SYS_openat, folder, path, flags, mode));
  };
  if (s == nullptr || ((flags & O_ACCMODE) == O_RDONLY && (flags & O_CREAT) == 0)) return pass_on();
  const auto name = absolute(folder, path);
  if (!is_ours(*s, name)) return pass_on();
  if ((flags & O_TMPFILE) == O_TMPFILE) die("O_TMPFILE is not supported: " + name);
  struct ::stat st {};
  const bool was_there = ::lstat(name.c_str(), &st) == 0;
  if (was_there && S_ISREG(st.st_mode)) keep(*s, st.st_ino, name);
  if (was_there && (flags & O_TRUNC) == 0) return pass_on();
  const step held{*s};
  const auto before = inode_of(name);
  if (before != 0 && (flags & O_EXCL) == 0 && ::stat(name.c_str(), &st) == 0) {
    const watched f{before, static_cast<std::uint64_t>(st.st_size)};
    keep(*s, before, name);
    keep_content(*s, f, 0, f.size);
    keep_size(*s, f, 0);
  }
  const int fd = pass_on();
  if (fd >= 0 && before == 0) {
    const auto inode = inode_of(name);
    keep(*s, inode, name);
    note_name(*s, kind::created, name, inode);
  }
  return fd;
}

int truncate_file(int fd, off_t to) {
  auto* s = the_shim();
  const auto pass_on = [&] { return static_cast<int>(::syscall(SYS_ftruncate, fd, to)); };
  if (!file_of(s, fd)) return pass_on();
  const step held{*s};
  const auto f = file_of(s, fd);  // as it is now
  const auto size = static_cast<std::uint64_t>(to);
  if (size < f.size) keep_content(*s, f, size, f.size);
  keep_size(*s, f, size);
  return pass_on();
}

template <class F>
int remove_name(int folder, const char* path, bool is_folder, F pass_on) {
  auto* s = the_shim();
  const auto name = s == nullptr ? std::string{} : absolute(folder, path);
  if (s == nullptr || !is_ours(*s, name)) return pass_on();
  const step held{*s};
  struct ::stat st {};
  const bool there = ::lstat(name.c_str(), &st) == 0;
  if (there && S_ISREG(st.st_mode)) keep(*s, st.st_ino, name);
  const int rc = pass_on();
  if (rc == 0) note_name(*s, is_folder ? kind::removed_folder : kind::removed, name, st.st_ino);
  return rc;
}

int rename_file(const char* from, const char* to) {
  auto* s = the_shim();
  const auto pass_on = [&] {
    return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
  };
  if (s == nullptr) return pass_on();
  const auto old_name = absolute(AT_FDCWD, from);
  const auto new_name = absolute(AT_FDCWD, to);
  if (!is_ours(*s, old_name) && !is_ours(*s, new_name)) return pass_on();
  if (old_name.substr(0, old_name.rfind('/')) != new_name.substr(0, new_name.rfind('/')))
    die("renamed into another folder: " + old_name);
  const step held{*s};
  struct ::stat st {};
  struct ::stat there {};
  const bool is_file = ::lstat(old_name.c_str(), &st) == 0 && S_ISREG(st.st_mode);
  const bool replaces = ::lstat(new_name.c_str(), &there) == 0;
  if (is_file) {
    keep(*s, st.st_ino, old_name);
    if (replaces) keep(*s, there.st_ino, new_name);
  }
  const int rc = pass_on();
  if (rc == 0) {
    note_name(*s, is_file ? kind::renamed : kind::renamed_folder,
              old_name + std::string(1, '\0') + new_name, st.st_ino, replaces ? there.st_ino : 0);
  }
  return rc;
}

mode_t mode_of(int flags, va_list rest) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
}

}  // namespace

// ---- the calls ----

// Of the C library, by their names there.
// NOLINTBEGIN
#define KAPPA_SHIM __attribute__((visibility("default")))

extern "C" {

KAPPA_SHIM int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const auto mode = mode_of(flags, rest);
  va_end(rest);
  return open_file(AT_FDCWD, path, flags, mode);
}
KAPPA_SHIM int open64(const char*, int, ...) __attribute__((alias("open")));

KAPPA_SHIM int openat(int folder, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const auto mode = mode_of(flags, rest);
  va_end(rest);
  return open_file(folder, path, flags, mode);
}
KAPPA_SHIM int openat64(int, const char*, int, ...) __attribute__((alias("openat")));

KAPPA_SHIM int creat(const char* path, mode_t mode) {
  return open_file(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
KAPPA_SHIM int creat64(const char*, mode_t) __attribute__((alias("creat")));

KAPPA_SHIM ssize_t write(int fd, const void* from, size_t bytes) {
  return write_at(fd, {}, bytes, [&] { return ::syscall(SYS_write, fd, from, bytes); });
}

KAPPA_SHIM ssize_t pwrite(int fd, const void* from, size_t bytes, off_t offset) {
  return write_at(fd, offset, bytes,
                  [&] { return ::syscall(SYS_pwrite64, fd, from, bytes, offset); });
}
KAPPA_SHIM ssize_t pwrite64(int, const void*, size_t, off_t) __attribute__((alias("pwrite")));

KAPPA_SHIM ssize_t writev(int fd, const iovec* parts, int n) {
  return write_at(fd, {}, bytes_of(parts, n), [&] { return ::syscall(SYS_writev, fd, parts, n); });
}

KAPPA_SHIM ssize_t pwritev(int fd, const iovec* parts, int n, off_t offset) {
  return write_at(fd, offset, bytes_of(parts, n),
                  [&] { return ::syscall(SYS_pwritev, fd, parts, n, offset, 0); });
}
KAPPA_SHIM ssize_t pwritev64(int, const iovec*, int, off_t) __attribute__((alias("pwritev")));

KAPPA_SHIM int ftruncate(int fd, off_t to) noexcept { return truncate_file(fd, to); }
KAPPA_SHIM int ftruncate64(int, off_t) noexcept __attribute__((alias("ftruncate")));

KAPPA_SHIM int fsync(int fd) { return sync(fd, SYS_fsync); }
KAPPA_SHIM int fdatasync(int fd) { return sync(fd, SYS_fdatasync); }

KAPPA_SHIM void* mmap(void* at, size_t bytes, int protection, int flags, int fd,
                      off_t offset) noexcept {
  const auto pass_on = [&] {
    return reinterpret_cast<void*>(::syscall(SYS_mmap, at, bytes, protection, flags, fd, offset));
  };
  if (fd < 0 || (protection & PROT_WRITE) == 0 || (flags & MAP_TYPE) == MAP_PRIVATE)
    return pass_on();
  auto* s = the_shim();
  if (!file_of(s, fd)) return pass_on();
  const step held{*s};
  const auto f = file_of(s, fd);
  const auto from = static_cast<std::uint64_t>(offset);
  const auto to = std::min<std::uint64_t>(f.size, from + bytes);
  s->maps.emplace(f.inode, from, to);
  keep_content(*s, f, from, to, kind::mapped);
  return pass_on();
}
KAPPA_SHIM void* mmap64(void*, size_t, int, int, int, off_t) noexcept
    __attribute__((alias("mmap")));

KAPPA_SHIM int mkdir(const char* path, mode_t mode) noexcept {
  auto* s = the_shim();
  const auto pass_on = [&] {
    return static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, mode));
  };
  const auto name = s == nullptr ? std::string{} : absolute(AT_FDCWD, path);
  if (s == nullptr || !is_ours(*s, name)) return pass_on();
  const step held{*s};
  const int rc = pass_on();
  if (rc == 0) note_name(*s, kind::made_folder, name);
  return rc;
}

KAPPA_SHIM int unlink(const char* path) noexcept {
  return remove_name(AT_FDCWD, path, false,
                     [&] { return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0)); });
}

KAPPA_SHIM int rmdir(const char* path) noexcept {
  return remove_name(AT_FDCWD, path, true, [&] {
    return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR));
  });
}

KAPPA_SHIM int unlinkat(int folder, const char* path, int flags) noexcept {
  return remove_name(folder, path, (flags & AT_REMOVEDIR) != 0, [&] {
    return static_cast<int>(::syscall(SYS_unlinkat, folder, path, flags));
  });
}

KAPPA_SHIM int remove(const char* path) noexcept {
  struct ::stat st {};
  const bool is_folder = ::lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
  return is_folder ? rmdir(path) : unlink(path);
}

KAPPA_SHIM int rename(const char* from, const char* to) noexcept { return rename_file(from, to); }

KAPPA_SHIM int link(const char* from, const char* to) noexcept {
  auto* s = the_shim();
  const auto pass_on = [&] {
    return static_cast<int>(::syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
  };
  const auto name = s == nullptr ? std::string{} : absolute(AT_FDCWD, to);
  if (s == nullptr || !is_ours(*s, name)) return pass_on();
  const step held{*s};
  const int rc = pass_on();
  if (rc == 0) {
    keep(*s, inode_of(name), name);
    note_name(*s, kind::created, name, inode_of(name));
  }
  return rc;
}

KAPPA_SHIM int msync(void* at, size_t bytes, int flags) {
  // Nobody relies on it: a mapping's pages count as unsynced until its file is synced.
  return static_cast<int>(::syscall(SYS_msync, at, bytes, flags));
}

}  // extern "C"
// NOLINTEND
