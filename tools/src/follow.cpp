#include "follow.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstdint>

namespace kappa::tools {

follower::follower() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  bell_ = std::shared_ptr<int>(new int{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)}, [](int* fd) {
    ::close(*fd);
    delete fd;
  });
}

follower::~follower() {
  subscriptions_.clear();
  ::close(signals_);
}

result<void> follower::watch(log_reader& reader) {
  auto subscribed = reader.subscribe([bell = bell_] {
    const std::uint64_t one = 1;
    while (::write(*bell, &one, sizeof one) < 0 && errno == EINTR) {
    }
  });
  if (!subscribed) return fail(subscribed.error());
  subscriptions_.push_back(std::move(*subscribed));
  return {};
}

follower::news follower::poll(int timeout_ms) {
  for (;;) {
    pollfd fds[] = {{signals_, POLLIN, 0}, {*bell_, POLLIN, 0}, {STDOUT_FILENO, 0, 0}};
    if (::poll(fds, 3, timeout_ms) < 0 && errno == EINTR) continue;
    signalfd_siginfo info{};
    if ((fds[0].revents & POLLIN) != 0 && ::read(signals_, &info, sizeof info) == sizeof info) {
      return info.ssi_signo == SIGINT ? news::interrupted : news::terminated;
    }
    if ((fds[2].revents & (POLLERR | POLLHUP)) != 0) return news::reader_gone;
    std::uint64_t rung = 0;
    if ((fds[1].revents & POLLIN) != 0 && ::read(*bell_, &rung, sizeof rung) < 0) continue;
    return news::records;
  }
}

follower::news follower::wait() { return poll(-1); }
follower::news follower::look() {
  pollfd fds[] = {{signals_, POLLIN, 0}};
  if (::poll(fds, 1, 0) <= 0) return news::records;
  return poll(0);
}

int exit_code_of(follower::news n) {
  return n == follower::news::interrupted  ? 128 + SIGINT
         : n == follower::news::terminated ? 128 + SIGTERM
                                           : 0;
}

}  // namespace kappa::tools
