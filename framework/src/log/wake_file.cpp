#include "log/wake_file.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

namespace kappa::detail {

namespace {
constexpr std::size_t file_bytes = 4096;
}

result<std::unique_ptr<wake_file>> wake_file::open(const std::filesystem::path& path,
                                                   bool read_only) {
  const auto failed = [&] { return fail(errc::io, path.string(), std::strerror(errno)); };
  const int fd = ::open(path.c_str(), (read_only ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC, 0644);
  if (fd < 0) return failed();
  struct ::stat st {};
  bool ok = ::fstat(fd, &st) == 0;
  // Only ever made longer: another process may have it mapped.
  if (ok && st.st_size < static_cast<off_t>(file_bytes)) {
    if (read_only) errno = ENODATA;
    ok = !read_only && ::ftruncate(fd, file_bytes) == 0;
  }
  void* map = MAP_FAILED;
  if (ok) {
    map = ::mmap(nullptr, file_bytes, read_only ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED,
                 fd, 0);
  }
  auto e = failed();
  ::close(fd);
  if (map == MAP_FAILED) return e;
  return std::unique_ptr<wake_file>{new wake_file{map, read_only}};
}

wake_file::~wake_file() { ::munmap(map_, file_bytes); }

std::uint32_t wake_file::now() const { return __atomic_load_n(word(), __ATOMIC_SEQ_CST); }

void wake_file::bump() {
  if (!read_only_) __atomic_fetch_add(word(), 1, __ATOMIC_SEQ_CST);
  // Not the private kind: the word is shared by processes.
  ::syscall(SYS_futex, word(), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void wake_file::wait(std::uint32_t seen) const {
  ::syscall(SYS_futex, word(), FUTEX_WAIT, seen, nullptr, nullptr, 0);
}

}  // namespace kappa::detail
