// The threads of an HTTP server: each serves one connection, as many connections wait for one, and
// then whoever brings more waits. The library's own queue has no bound.
//
// Threading: as httplib::TaskQueue: enqueue on the thread that accepts.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>

#include <httplib.h>

namespace kappa::detail {

class http_threads final : public httplib::TaskQueue {
 public:
  explicit http_threads(std::size_t n) : most_{2 * n}, threads_{n} {}

  void enqueue(std::function<void()> fn) override {
    {
      std::unique_lock lock{mutex_};
      room_.wait(lock, [&] { return here_ < most_; });
      ++here_;
    }
    threads_.enqueue([this, fn = std::move(fn)] {
      fn();
      const std::lock_guard lock{mutex_};
      --here_;
      room_.notify_one();
    });
  }
  void shutdown() override { threads_.shutdown(); }

 private:
  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::size_t here_ = 0;
  httplib::ThreadPool threads_;
};

}  // namespace kappa::detail
