// The clients that fetch. One of them can read a partition once, so a second reader of the same
// partition gets a second client; as a rule there is one.
//
// Threading: any thread. Ownership: a lease must go before the pool.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "kafka/client.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa::kafka {

class fetch_pool {
  struct fetcher {
    std::unique_ptr<client> of;
    std::set<topic_partition> taken;
    bool retired = false;
  };

 public:
  explicit fetch_pool(const kafka_log_options& options) : options_{options} {}

  /// A partition of one client, for one reader.
  class lease {
   public:
    lease(lease&& other) noexcept
        : pool_{std::exchange(other.pool_, nullptr)},
          fetcher_{other.fetcher_},
          where_{other.where_} {}
    lease& operator=(lease&&) = delete;
    ~lease();
    [[nodiscard]] client& of() const;
    /// New readers get another client.
    [[nodiscard]] bool retired() const;

   private:
    friend class fetch_pool;
    lease(fetch_pool* pool, fetcher* f, topic_partition where)
        : pool_{pool}, fetcher_{f}, where_{std::move(where)} {}
    fetch_pool* pool_;
    fetcher* fetcher_;
    topic_partition where_;
  };

  [[nodiscard]] result<lease> take(const topic_partition& where);
  /// New readers get a new client. For who was cut off from the brokers for so long that it lost
  /// its tasks: librdkafka 2.14 then fetches some partitions no more, for five minutes and without
  /// a word (it takes the broker that is back for another one).
  void retire();

 private:
  const kafka_log_options& options_;
  std::mutex mutex_;
  std::list<fetcher> fetchers_;
};

/// The configuration of a client that reads.
[[nodiscard]] result<config> reading_config(const kafka_log_options& options);

}  // namespace kappa::kafka
