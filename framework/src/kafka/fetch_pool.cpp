#include "kafka/fetch_pool.hpp"

#include <algorithm>

namespace kappa::kafka {

result<config> reading_config(const kafka_log_options& options) {
  auto c = config::create(options, "reader");
  if (!c) return fail(c.error());
  const auto set = [&](const char* name, const char* value) { return c->set(name, value); };
  const auto prefer = [&](const char* name, const char* value) { return c->prefer(name, value); };
  // What is not committed does not exist; where the end lies must be told; an offset that is gone
  // is an error, never a jump.
  for (const auto& done :
       {set("isolation.level", "read_committed"), set("enable.partition.eof", "true"),
        set("auto.offset.reset", "error"), set("enable.auto.commit", "false"),
        set("enable.auto.offset.store", "false"), set("allow.auto.create.topics", "false"),
        set("check.crcs", "true"),
        // The default sleeps a second once the queue is full: any task that is slower than the
        // network would stop and go.
        prefer("fetch.queue.backoff.ms", "5"),
        // A new partition joins the next fetch, which waits for this one.
        prefer("fetch.wait.max.ms", "50"), prefer("fetch.error.backoff.ms", "50"),
        // Per partition, so that memory stays flat with many of them.
        prefer("queued.min.messages", "20000"), prefer("queued.max.messages.kbytes", "8192")}) {
    if (!done) return fail(done.error());
  }
  return c;
}

result<fetch_pool::lease> fetch_pool::take(const topic_partition& where) {
  const std::lock_guard lock{mutex_};
  for (auto& f : fetchers_) {
    if (!f.retired && f.taken.insert(where).second) return lease{this, &f, where};
  }
  auto settings = reading_config(options_);
  if (!settings) return fail(settings.error());
  auto made = client::open(RD_KAFKA_CONSUMER, std::move(*settings), options_.log);
  if (!made) return fail(made.error());
  auto& f = fetchers_.emplace_back(fetcher{std::move(*made), {}, false});
  f.taken.insert(where);
  return lease{this, &f, where};
}

void fetch_pool::retire() {
  std::list<fetcher> unused;
  const std::lock_guard lock{mutex_};
  for (auto f = fetchers_.begin(); f != fetchers_.end();) {
    const auto here = f++;
    here->retired = true;
    if (here->taken.empty()) unused.splice(unused.end(), fetchers_, here);
  }
}

fetch_pool::lease::~lease() {
  if (pool_ == nullptr) return;
  std::list<fetcher> unused;  // ends without the lock
  const std::lock_guard lock{pool_->mutex_};
  fetcher_->taken.erase(where_);
  if (!fetcher_->retired || !fetcher_->taken.empty()) return;
  const auto at = std::find_if(pool_->fetchers_.begin(), pool_->fetchers_.end(),
                               [&](const fetcher& f) { return &f == fetcher_; });
  unused.splice(unused.end(), pool_->fetchers_, at);
}

client& fetch_pool::lease::of() const { return *fetcher_->of; }

bool fetch_pool::lease::retired() const {
  const std::lock_guard lock{pool_->mutex_};
  return fetcher_->retired;
}

}  // namespace kappa::kafka
