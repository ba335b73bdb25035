// A program for the tests of the power shim: does to files what its arguments say, in order.
//
//   write FILE OFFSET TEXT   dsync FILE OFFSET TEXT (O_DSYNC)   fill FILE OFFSET BYTES LETTER
//   truncate FILE SIZE       map FILE OFFSET TEXT               sync FILE      sync-folder FOLDER
//   rename FROM TO           remove NAME                        folder NAME    link FROM TO
//   cat FILE                 lock FILE                   die
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

namespace {

void must(bool ok, const std::string& what) {
  if (ok) return;
  std::perror(what.c_str());
  std::exit(1);
}

void write_text(const std::string& file, int flags, off_t at, const std::string& text) {
  const int fd = ::open(file.c_str(), O_CREAT | O_CLOEXEC | flags, 0644);
  must(fd >= 0 && ::pwrite(fd, text.data(), text.size(), at) == static_cast<ssize_t>(text.size()),
       file);
  ::close(fd);
}

void sync_name(const std::string& name, int flags) {
  const int fd = ::open(name.c_str(), flags | O_CLOEXEC);
  must(fd >= 0 && ::fsync(fd) == 0, name);
  ::close(fd);
}

void truncate_file(const std::string& file, off_t size) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  must(fd >= 0 && ::ftruncate(fd, size) == 0, file);
  ::close(fd);
}

void write_mapped(const std::string& file, std::size_t at, const std::string& text) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  struct ::stat st {};
  must(fd >= 0 && ::fstat(fd, &st) == 0, file);
  auto* const map = ::mmap(nullptr, static_cast<std::size_t>(st.st_size), PROT_READ | PROT_WRITE,
                           MAP_SHARED, fd, 0);
  must(map != MAP_FAILED, file);
  std::memcpy(static_cast<char*>(map) + at, text.data(), text.size());
  ::close(fd);
}

void print_file(const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  char text[256];
  const auto n = fd < 0 ? -1 : ::read(fd, text, sizeof text);
  must(n >= 0, file);
  std::fwrite(text, 1, static_cast<std::size_t>(n), stdout);
  std::fflush(stdout);
  ::close(fd);
}

bool lock_whole(int fd) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  return ::fcntl(fd, F_SETLK, &whole) == 0;
}

// As LMDB does with its lock file; then another process must be refused the lock.
void lock_file(const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  must(fd >= 0 && lock_whole(fd) && ::ftruncate(fd, 4096) == 0, file);
  must(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED, file);
  must(::fsync(fd) == 0, file);
  const auto child = ::fork();
  if (child == 0) ::_exit(lock_whole(fd) ? 1 : 0);
  int status = 1;
  must(::waitpid(child, &status, 0) == child, file);
  errno = 0;
  must(status == 0, "another process got the lock of " + file);
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string what = argv[i];
    const auto next = [&] {
      must(i + 1 < argc, what);
      return std::string{argv[++i]};
    };
    if (what == "write" || what == "dsync") {
      const auto file = next();
      const auto at = std::atol(next().c_str());
      write_text(file, what == "write" ? O_RDWR : O_WRONLY | O_DSYNC, at, next());
    } else if (what == "fill") {
      const auto file = next();
      const auto at = std::atol(next().c_str());
      const auto bytes = std::strtoul(next().c_str(), nullptr, 10);
      write_text(file, O_RDWR, at, std::string(bytes, next()[0]));
    } else if (what == "truncate") {
      const auto file = next();
      truncate_file(file, std::atol(next().c_str()));
    } else if (what == "map") {
      const auto file = next();
      const auto at = std::strtoul(next().c_str(), nullptr, 10);
      write_mapped(file, at, next());
    } else if (what == "sync") {
      sync_name(next(), O_RDWR);
    } else if (what == "sync-folder") {
      sync_name(next(), O_RDONLY | O_DIRECTORY);
    } else if (what == "rename") {
      const auto from = next();
      std::filesystem::rename(from, next());
    } else if (what == "remove") {
      std::filesystem::remove_all(next());
    } else if (what == "folder") {
      std::filesystem::create_directories(next());
    } else if (what == "link") {
      const auto from = next();
      std::filesystem::create_hard_link(from, next());
    } else if (what == "cat") {
      print_file(next());
    } else if (what == "lock") {
      lock_file(next());
    } else if (what == "die") {
      ::kill(::getpid(), SIGKILL);
    } else {
      must(false, "unknown: " + what);
    }
  }
  return 0;
}
