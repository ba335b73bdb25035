#include "log/subscribers.hpp"

#include <pthread.h>

namespace kappa::detail {

struct subscribers::entry {
  std::shared_ptr<const open_partition> where;
  std::function<void()> on_data;
  offset known{-1};  // the thread's own

  std::mutex mutex;  // held during a call, so that unsubscribing waits for it
  bool live = true;
};

class subscribers::handle final : public subscription {
 public:
  handle(subscribers& owner, std::shared_ptr<entry> e) : owner_{owner}, entry_{std::move(e)} {}
  ~handle() override {
    {
      const std::lock_guard lock{entry_->mutex};
      entry_->live = false;
    }
    const std::lock_guard lock{owner_.mutex_};
    std::erase(owner_.entries_, entry_);
  }

 private:
  subscribers& owner_;
  std::shared_ptr<entry> entry_;
};

std::unique_ptr<subscription> subscribers::add(std::shared_ptr<const open_partition> where,
                                               std::function<void()> on_data) {
  auto e = std::make_shared<entry>();
  e->where = std::move(where);
  e->on_data = std::move(on_data);
  {
    const std::lock_guard lock{mutex_};
    entries_.push_back(e);
    if (!thread_.joinable()) start();
  }
  wake_.bump();
  return std::make_unique<handle>(*this, std::move(e));
}

void subscribers::start() {
  thread_ = std::thread{[this] { run(); }};
  auto watch = death_watch::start(wake_path_, wake_);
  if (watch) {
    deaths_ = std::move(*watch);
  } else {
    log_(log_level::warning, "records of a process killed right after its commit may be seen late",
         {{"reason", watch.error().text()}});
  }
}

subscribers::~subscribers() {
  if (!thread_.joinable()) return;
  deaths_.reset();
  stopping_ = true;
  // With a map that it may only read it cannot move the counter: the thread may be just about to
  // sleep, so it is woken until it is out.
  do {
    wake_.bump();
    if (wake_.read_only()) std::this_thread::yield();
  } while (wake_.read_only() && !stopped_);
  thread_.join();
}

void subscribers::run() {
  ::pthread_setname_np(::pthread_self(), "kappa-log-wait");
  for (;;) {
    const auto seen = wake_.now();
    if (stopping_) break;
    call_those_with_news();
    wake_.wait(seen);
  }
  stopped_ = true;
}

void subscribers::call_those_with_news() {
  std::vector<std::shared_ptr<entry>> all;
  {
    const std::lock_guard lock{mutex_};
    all = entries_;
  }
  std::vector<entry*> grown;
  {
    auto txn = store_.env().begin_read();
    for (const auto& e : all) {
      const auto meta =
          txn ? store_.meta(*txn, *e->where) : result<partition_meta>{fail(txn.error())};
      if (!meta) {
        // Let the reader meet the error: it can say what it means for its task.
        log_(log_level::error, "cannot see whether a partition has grown",
             {{"partition", e->where->where.text()}, {"error", meta.error().text()}});
        grown.push_back(e.get());
        continue;
      }
      if (meta->latest == e->known) continue;
      e->known = meta->latest;
      grown.push_back(e.get());
    }
  }
  for (auto* e : grown) {
    const std::lock_guard lock{e->mutex};
    if (e->live) e->on_data();
  }
}

}  // namespace kappa::detail
