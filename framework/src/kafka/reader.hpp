// Reads one partition: librdkafka fetches ahead into a queue of this reader, whose records are
// copied once, into an aligned buffer in our own form, and given back to librdkafka at once.
//
// Backpressure: what is not read stays in the queue, which is bounded, and is not fetched.
//
// Threading: as log_reader.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "kafka/admin.hpp"
#include "kafka/fetch_pool.hpp"
#include "kafka/messages.hpp"
#include "kappa/log/event_log.hpp"
#include "log/buffer_pool.hpp"

namespace kappa::kafka {

/// Who is called when a reader's queue is not empty any more.
class bells {
 public:
  using handle = std::list<std::function<void()>>::iterator;
  [[nodiscard]] handle add(std::function<void()> ring) {
    const std::lock_guard lock{mutex_};
    return all_.insert(all_.end(), std::move(ring));
  }
  void remove(handle h) {
    const std::lock_guard lock{mutex_};
    all_.erase(h);
  }
  void ring() {  // under the lock, so that who removes one has seen its last call
    const std::lock_guard lock{mutex_};
    for (const auto& f : all_) f();
  }

 private:
  std::mutex mutex_;
  std::list<std::function<void()>> all_;
};

class reader final : public log_reader {
 public:
  [[nodiscard]] static result<std::unique_ptr<reader>> open(
      fetch_pool& pool, admin& ask, std::shared_ptr<detail::buffer_pool> buffers,
      const topic_partition& where);
  ~reader() override;

  result<read_batch> read(offset from, std::size_t max_bytes) override;
  result<void> start(offset from) override;
  result<offset> at_hand() override;
  result<offset> end_seen() override;
  result<std::unique_ptr<subscription>> subscribe(std::function<void()> on_data) override;
  const topic_partition& where() const override { return where_; }
  /// A reader that is opened now would do better (fetch_pool::retire).
  [[nodiscard]] bool outdated() const { return lease_.retired(); }

 private:
  reader(fetch_pool::lease lease, admin& ask, std::shared_ptr<detail::buffer_pool> buffers,
         topic_partition where)
      : lease_{std::move(lease)},
        ask_{ask},
        buffers_{std::move(buffers)},
        where_{std::move(where)} {}
  void stop();
  result<void> pull(std::size_t max_bytes);
  result<void> check_first(offset from);

  fetch_pool::lease lease_;
  admin& ask_;
  std::shared_ptr<detail::buffer_pool> buffers_;
  topic_partition where_;
  std::shared_ptr<bells> bells_ = std::make_shared<bells>();
  topic_handle topic_;
  queue queue_;  // null: not started
  std::deque<incoming> waiting_;
  std::size_t waiting_bytes_ = 0;
  offset next_;     // of the next read that goes on
  offset at_hand_;  // behind what waits
  offset end_at_start_;
};

}  // namespace kappa::kafka
