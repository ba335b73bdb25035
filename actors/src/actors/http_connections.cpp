#include "actors/http_connections.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace kappa::detail {
namespace {

using time_point = std::chrono::steady_clock::time_point;

// Between two looks whether the server ends.
constexpr std::chrono::milliseconds glance{20};

class connection final : public httplib::Stream {
 public:
  connection(socket_t s, const connection_limits& limits) : socket_{s}, limits_{limits} {}

  /// Some of the next request is there, before `idle` is over and while `goes_on()`.
  template <class F>
  bool await_request(F&& goes_on) {
    const auto until = std::chrono::steady_clock::now() + limits_.idle;
    while (goes_on() && std::chrono::steady_clock::now() < until) {
      if (!is_readable_until(std::chrono::steady_clock::now() + glance)) continue;
      read_until_ = std::chrono::steady_clock::now() + limits_.exchange;
      write_until_ = time_point::max();
      return true;
    }
    return false;
  }
  /// What was not read or written in time.
  [[nodiscard]] bool is_late() const { return is_late_; }

  bool is_readable() const override { return is_readable_until(read_limit()); }
  bool is_writable() const override {
    return ready(POLLOUT, std::chrono::steady_clock::now() + limits_.io);
  }

  ssize_t read(char* to, std::size_t size) override {
    if (at_ == end_) {
      if (!ready(POLLIN, read_limit())) return late();
      const auto got = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
      if (got <= 0) return got;
      at_ = 0;
      end_ = static_cast<std::size_t>(got);
    }
    const auto n = std::min(size, end_ - at_);
    std::memcpy(to, buffer_.data() + at_, n);
    at_ += n;
    return static_cast<ssize_t>(n);
  }

  ssize_t write(const char* from, std::size_t size) override {
    if (write_until_ == time_point::max())
      write_until_ = std::chrono::steady_clock::now() + limits_.exchange;
    for (std::size_t done = 0; done < size;) {
      const auto until = std::min(write_until_, std::chrono::steady_clock::now() + limits_.io);
      if (!ready(POLLOUT, until)) return late();
      const auto sent = ::send(socket_, from + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (sent < 0) return -1;
      done += static_cast<std::size_t>(sent);
    }
    return static_cast<ssize_t>(size);
  }

  // Nobody asks.
  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  socket_t socket() const override { return socket_; }

 private:
  [[nodiscard]] time_point read_limit() const {
    return std::min(read_until_, std::chrono::steady_clock::now() + limits_.io);
  }
  [[nodiscard]] bool is_readable_until(time_point t) const {
    return at_ < end_ || ready(POLLIN, t);
  }

  [[nodiscard]] bool ready(short what, time_point until) const {
    for (;;) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      if (left.count() <= 0) return false;
      pollfd one{socket_, what, 0};
      const auto found = ::poll(&one, 1, static_cast<int>(left.count()));
      if (found > 0) return true;
      if (found < 0 && errno != EINTR) return false;
    }
  }

  ssize_t late() {
    is_late_ = true;
    return -1;
  }

  const socket_t socket_;
  const connection_limits& limits_;
  time_point read_until_ = time_point::max();
  time_point write_until_ = time_point::max();
  bool is_late_ = false;
  // The library reads lines byte by byte. What is of the next request stays.
  std::array<char, 16 << 10> buffer_{};
  std::size_t at_ = 0;
  std::size_t end_ = 0;
};

}  // namespace

bool bounded_server::process_and_close_socket(socket_t s) {
  connection c{s, limits_};
  bool good = true;
  for (auto left = limits_.requests; good && left > 0 && !c.is_late(); --left) {
    if (!c.await_request([this] { return svr_sock_ != INVALID_SOCKET; })) break;
    bool closed = false;
    good = process_request(c, left == 1, closed, nullptr);
    if (closed) break;
  }
  ::shutdown(s, SHUT_RDWR);
  ::close(s);
  return good;
}

}  // namespace kappa::detail
