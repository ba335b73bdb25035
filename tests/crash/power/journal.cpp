#include "crash/power/journal.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace kappa::crash::power {
namespace {

constexpr std::uint64_t head_bytes = 4096;
// Address space and a hole in a file: only what is used takes room.
constexpr std::uint64_t most_bytes = std::uint64_t{4} << 30;
constexpr std::uint64_t is_made = 0x4b50574a;

std::uint64_t padded(std::uint64_t n) { return (n + 7) / 8 * 8; }

}  // namespace

void die(const std::string& what) {
  const auto text = "power shim: " + what + ": " + std::strerror(errno) + "\n";
  // Not the intercepted ones: this is called from there.
  ::syscall(SYS_write, 2, text.data(), text.size());
  ::_exit(99);
}

journal::journal(const std::string& folder) : folder_{folder} {
  ::syscall(SYS_mkdirat, AT_FDCWD, folder.c_str(), 0755);
  ::syscall(SYS_mkdirat, AT_FDCWD, (folder + "/files").c_str(), 0755);
  const auto name = folder + "/journal";
  const int fd = static_cast<int>(
      ::syscall(SYS_openat, AT_FDCWD, name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (fd < 0) die(name);
  make(fd);
  ::syscall(SYS_close, fd);
}

void journal::make(int fd) {
  // Several processes may start at once: the first one makes it.
  struct flock whole {};
  whole.l_type = F_WRLCK;
  if (::fcntl(fd, F_SETLKW, &whole) != 0) die("lock");
  if (::syscall(SYS_ftruncate, fd, most_bytes) != 0) die("ftruncate");
  const auto at = ::syscall(SYS_mmap, nullptr, most_bytes, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (at == -1) die("mmap");
  head_ = reinterpret_cast<head*>(at);
  data_ = reinterpret_cast<char*>(at) + head_bytes;
  if (head_->made == is_made) return;
  pthread_mutexattr_t a;
  ::pthread_mutexattr_init(&a);
  ::pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
  ::pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
  ::pthread_mutex_init(&head_->mutex, &a);
  ::pthread_mutexattr_destroy(&a);
  head_->made = is_made;
}

journal::~journal() { ::munmap(head_, most_bytes); }

void journal::lock() {
  const int rc = ::pthread_mutex_lock(&head_->mutex);
  if (rc == EOWNERDEAD) {
    ::pthread_mutex_consistent(&head_->mutex);
  } else if (rc != 0) {
    errno = rc;
    die("the journal's lock");
  }
}

void journal::unlock() { ::pthread_mutex_unlock(&head_->mutex); }

std::uint64_t journal::add(entry e, std::string_view payload) {
  const auto used = head_->used.load();
  if (used + sizeof e + padded(payload.size()) > most_bytes - head_bytes) die("it is full");
  e.payload_bytes = static_cast<std::uint32_t>(payload.size());
  e.number = head_->entries + 1;
  std::memcpy(data_ + used, &e, sizeof e);
  std::memcpy(data_ + used + sizeof e, payload.data(), payload.size());
  // It counts from here on: a kill before leaves nothing of it.
  head_->used = used + sizeof e + padded(payload.size());
  return ++head_->entries;
}

std::vector<found_entry> journal::entries() const {
  std::vector<found_entry> out;
  for (std::uint64_t at = 0; at < head_->used;) {
    found_entry f;
    std::memcpy(static_cast<entry*>(&f), data_ + at, sizeof(entry));
    f.payload = {data_ + at + sizeof(entry), f.payload_bytes};
    at += sizeof(entry) + padded(f.payload_bytes);
    out.push_back(f);
  }
  return out;
}

void journal::clear() {
  const auto files = folder_ + "/files";
  if (auto* d = ::opendir(files.c_str())) {
    while (const auto* e = ::readdir(d)) {
      if (e->d_name[0] != '.')
        ::syscall(SYS_unlinkat, AT_FDCWD, (files + "/" + e->d_name).c_str(), 0);
    }
    ::closedir(d);
  }
  // A new file rather than a cleaned one: killed holders of its lock are forgotten with it.
  ::munmap(head_, most_bytes);
  const auto name = folder_ + "/journal";
  ::syscall(SYS_unlinkat, AT_FDCWD, name.c_str(), 0);
  const int fd = static_cast<int>(
      ::syscall(SYS_openat, AT_FDCWD, name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (fd < 0) die(name);
  make(fd);
  ::syscall(SYS_close, fd);
}

std::string journal::file_name(std::uint64_t file) const {
  return folder_ + "/files/" + std::to_string(file);
}

}  // namespace kappa::crash::power
