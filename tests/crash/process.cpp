#include "crash/process.hpp"

#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <fcntl.h>

extern char** environ;

namespace kappa::crash {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const auto& s : strings) out.push_back(const_cast<char*>(s.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

process::process(const std::vector<std::string>& command,
                 const std::vector<std::string>& environment, const std::filesystem::path& output) {
  std::vector<std::string> env;
  for (char** e = environ; *e != nullptr; ++e) env.emplace_back(*e);
  env.insert(env.end(), environment.begin(), environment.end());
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                     0600);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  const int rc = ::posix_spawnp(&pid_, command.at(0).c_str(), &actions, nullptr,
                                pointers(command).data(), pointers(env).data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (rc != 0) throw std::runtime_error{"cannot start " + command[0] + ": " + std::strerror(rc)};
  fd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (fd_ < 0) throw std::runtime_error{std::string{"pidfd_open: "} + std::strerror(errno)};
}

process::~process() {
  if (!status_) {
    signal(SIGKILL);
    (void)wait(std::chrono::hours{1});
  }
  ::close(fd_);
}

std::optional<int> process::wait(std::chrono::milliseconds most) {
  if (status_) return status_;
  const auto until = now_ns() + std::chrono::nanoseconds{most}.count();
  for (;;) {
    const auto left = std::max<std::int64_t>(0, until - now_ns());
    const timespec time{left / 1'000'000'000, left % 1'000'000'000};
    pollfd p{fd_, POLLIN, 0};
    const int ready = ::ppoll(&p, 1, &time, nullptr);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return std::nullopt;
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return status_;
  }
}

bool process::wait_stopped() {
  int status = 0;
  while (::waitpid(pid_, &status, WUNTRACED) < 0 && errno == EINTR) {
  }
  if (WIFSTOPPED(status)) return true;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return false;
}

void process::signal(int number) const { ::kill(pid_, number); }

int run_to_end(const std::vector<std::string>& command, const std::filesystem::path& output) {
  process p{command, {}, output};
  return *p.wait(std::chrono::hours{1});
}

hit_counts::hit_counts(const std::filesystem::path& file) {
  const auto text = file_text(file);
  all_.resize(text.size() / sizeof(failpoint::hit_count));
  std::memcpy(all_.data(), text.data(), all_.size() * sizeof(failpoint::hit_count));
}

failpoint::hit_count hit_counts::of(std::string_view name) const {
  const auto& names = failpoint::names();
  for (std::size_t i = 0; i < all_.size(); ++i) {
    if (names[i] == name) return all_[i];
  }
  return {};
}

std::string file_text(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace kappa::crash
