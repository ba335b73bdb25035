#include "log/death_watch.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace kappa::detail {

result<std::unique_ptr<death_watch>> death_watch::start(const std::filesystem::path& path,
                                                        wake_file& wake) {
  std::unique_ptr<death_watch> watch{new death_watch{wake}};
  // The kernel closes a file for a process that dies, however it dies, and tells of it.
  watch->events_ = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  watch->stop_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (watch->events_ < 0 || watch->stop_ < 0 ||
      ::inotify_add_watch(watch->events_, path.c_str(), IN_CLOSE_WRITE) < 0) {
    return fail(errc::io, path.string(), std::strerror(errno));
  }
  watch->thread_ = std::thread{[w = watch.get()] { w->run(); }};
  return watch;
}

death_watch::~death_watch() {
  if (thread_.joinable()) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = ::write(stop_, &one, sizeof one);
    thread_.join();
  }
  if (events_ >= 0) ::close(events_);
  if (stop_ >= 0) ::close(stop_);
}

void death_watch::run() {
  ::pthread_setname_np(::pthread_self(), "kappa-log-death");
  pollfd fds[] = {{events_, POLLIN, 0}, {stop_, POLLIN, 0}};
  for (;;) {
    if (::poll(fds, 2, -1) < 0 && errno != EINTR) return;
    if ((fds[1].revents & POLLIN) != 0) return;
    if ((fds[0].revents & POLLIN) == 0) continue;
    alignas(inotify_event) char events[4096];
    while (::read(events_, events, sizeof events) > 0) {
    }
    wake_.bump();
  }
}

}  // namespace kappa::detail
