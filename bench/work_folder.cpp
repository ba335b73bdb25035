#include "work_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <system_error>

#include <fmt/format.h>

namespace bench {
namespace {

namespace fs = std::filesystem;

void check_disk(const fs::path& folder, std::uint64_t needed_bytes) {
  struct ::statfs s {};
  if (::statfs(folder.c_str(), &s) != 0)
    throw std::system_error{errno, std::generic_category(), folder.string()};
  constexpr unsigned long tmpfs = 0x01021994;
  constexpr unsigned long ramfs = 0x858458f6;
  const auto type = static_cast<unsigned long>(s.f_type);
  if (type == tmpfs || type == ramfs) {
    throw std::runtime_error{fmt::format(
        "{} is in memory, where an fsync costs nothing; name a folder on a disk: --work FOLDER",
        folder.string())};
  }
  const auto room = std::uint64_t{s.f_bavail} * static_cast<std::uint64_t>(s.f_bsize);
  if (room < needed_bytes) {
    throw std::runtime_error{fmt::format(
        "{} has {} MiB free, the benchmarks need {} MiB; name another folder: --work FOLDER",
        folder.string(), room >> 20, needed_bytes >> 20)};
  }
}

/// The lock of a run's folder; -1 when another run holds it.
int lock_of(const fs::path& folder) {
  const int fd = ::open((folder / "lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) throw std::system_error{errno, std::generic_category(), folder.string()};
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  ::close(fd);
  return -1;
}

void remove_left_overs(const fs::path& below) {
  for (const auto& e : fs::directory_iterator{below}) {
    if (!e.is_directory() || !e.path().filename().string().starts_with("run-")) continue;
    const int fd = lock_of(e.path());
    if (fd < 0) continue;
    fs::remove_all(e.path());
    ::close(fd);
  }
}

::sigset_t ending_signals() {
  ::sigset_t set;
  ::sigemptyset(&set);
  for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) ::sigaddset(&set, s);
  return set;
}

/// The child's exit code; 128 + the signal when it, or we, got one.
int wait_for(::pid_t child) {
  const auto set = ending_signals();
  for (;;) {
    const int got = ::sigwaitinfo(&set, nullptr);
    if (got < 0) continue;
    int status = 0;
    if (got != SIGCHLD) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      return 128 + got;
    }
    if (::waitpid(child, &status, WNOHANG) != child) continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
}

}  // namespace

int run_in_work_folder(const fs::path& below, std::uint64_t needed_bytes,
                       const std::function<int(const fs::path&)>& measure) {
  fs::create_directories(below);
  remove_left_overs(below);
  check_disk(below, needed_bytes);
  const auto folder = below / fmt::format("run-{}", ::getpid());
  fs::create_directory(folder);
  const int lock = lock_of(folder);

  const auto set = ending_signals();
  ::sigset_t before;
  ::sigprocmask(SIG_BLOCK, &set, &before);
  const auto parent = ::getpid();
  std::fflush(nullptr);
  const auto child = ::fork();
  if (child < 0) throw std::system_error{errno, std::generic_category(), "fork"};
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    const int code = measure(folder);
    std::fflush(nullptr);
    ::_exit(code);
  }
  const int code = wait_for(child);
  fs::remove_all(folder);
  ::close(lock);
  std::error_code not_empty;
  fs::remove(below, not_empty);  // unless another run is in it
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return code;
}

}  // namespace bench
