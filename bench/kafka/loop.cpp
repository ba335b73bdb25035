#include "kafka/loop.hpp"

#include <array>
#include <chrono>
#include <cstring>
#include <stdexcept>

#include "counts.hpp"
#include "kafka/transaction.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/log/envelope.hpp"

namespace bench::kafka {
namespace {

using clock = std::chrono::steady_clock;

constexpr int wait_ms = 10;

plain_consumer open_consumer(const loop_job& job, const char* auto_commit) {
  return plain_consumer::of_group({{"bootstrap.servers", job.address},
                                   {"group.id", job.group},
                                   {"isolation.level", "read_committed"},
                                   {"auto.offset.reset", "earliest"},
                                   {"enable.auto.commit", auto_commit},
                                   {"auto.commit.interval.ms", "100"},
                                   {"queued.min.messages", "100000"},
                                   // The default sleeps a second when the queue is full.
                                   {"fetch.queue.backoff.ms", "5"}},
                                  job.input);
}

kappa::bytes_view key_of(const rd_kafka_message_t& m) {
  return {static_cast<const char*>(m.key), m.key_len};
}

/// Key and count, a thousand at a call.
class bare_updates {
 public:
  explicit bare_updates(topic_handle topic) : topic_{std::move(topic)} {}

  void add(const rd_kafka_message_t& from, std::int64_t count) {
    auto& m = messages_.at(size_);
    auto& p = pairs_.at(size_++);
    std::memcpy(p.key, from.key, sizeof p.key);
    p.count = count;
    m = {};
    m.partition = from.partition;
    m.key = p.key;
    m.key_len = sizeof p.key;
    m.payload = &p.count;
    m.len = sizeof p.count;
    if (size_ == messages_.size()) flush();
  }

  void flush() {
    const auto n = static_cast<int>(size_);
    if (rd_kafka_produce_batch(topic_.get(), RD_KAFKA_PARTITION_UA,
                               RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_PARTITION, messages_.data(),
                               n) != n)
      throw std::runtime_error{"the producer's queue is full"};
    size_ = 0;
  }

 private:
  struct pair {
    char key[8];
    std::int64_t count;
  };
  topic_handle topic_;
  std::array<rd_kafka_message_t, 1000> messages_{};
  std::array<pair, 1000> pairs_{};
  std::size_t size_ = 0;
};

/// Records as the engine writes them.
class full_updates {
 public:
  full_updates(rd_kafka_t* producer, topic_handle topic, const std::string& input)
      : producer_{producer}, topic_{std::move(topic)}, cause_{input, {}} {}

  void add(const rd_kafka_message_t& from, std::int64_t count) {
    cause_.partition = kappa::partition{from.partition};
    auto* const headers = rd_kafka_headers_new(2);
    for (const auto& h : kappa::headers_view{envelope_.of(cause_, kappa::offset{from.offset})}) {
      rd_kafka_header_add(headers, h.name.data(), static_cast<ssize_t>(h.name.size()),
                          h.value.data(), static_cast<ssize_t>(h.value.size()));
    }
    std::array<rd_kafka_vu_t, 7> parts{};
    parts[0].vtype = RD_KAFKA_VTYPE_RKT;
    parts[0].u.rkt = topic_.get();
    parts[1].vtype = RD_KAFKA_VTYPE_PARTITION;
    parts[1].u.i32 = from.partition;
    parts[2].vtype = RD_KAFKA_VTYPE_VALUE;
    parts[2].u.mem = {&count, sizeof count};
    parts[3].vtype = RD_KAFKA_VTYPE_KEY;
    parts[3].u.mem = {from.key, from.key_len};
    parts[4].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    parts[4].u.i64 = rd_kafka_message_timestamp(&from, nullptr);
    parts[5].vtype = RD_KAFKA_VTYPE_HEADERS;
    parts[5].u.headers = headers;
    parts[6].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    parts[6].u.i = RD_KAFKA_MSG_F_COPY;
    expect_ok(fault{rd_kafka_produceva(producer_, parts.data(), parts.size())}, "produce");
  }

  void flush() {}

 private:
  rd_kafka_t* producer_;
  topic_handle topic_;
  kappa::topic_partition cause_;
  kappa::repeated_envelope envelope_{kappa::reference_to(kappa::codec<std::int64_t>::schema())};
};

template <class Updates>
spent count_into(const loop_job& job, plain_consumer& consumer, transaction& now, Updates& out) {
  constexpr std::chrono::milliseconds interval{100};
  counts_by_key counts;
  const auto count = [&](const rd_kafka_message_t& m) {
    out.add(m, count_one(counts, key_of(m)));
    now.done_with(m);
  };
  now.begin();
  std::int64_t left = job.events;
  while (left == job.events) left -= static_cast<std::int64_t>(consumer.take(wait_ms, count));
  return timed(
      [&] {
        auto until = clock::now() + interval;
        while (left > 0) {
          left -= static_cast<std::int64_t>(consumer.take(wait_ms, count));
          if (left > 0 && clock::now() < until) continue;
          out.flush();
          now.commit();
          if (left > 0) now.begin();
          until = clock::now() + interval;
        }
      },
      whose::process);
}

}  // namespace

spent read_by_hand(const loop_job& job) {
  auto consumer = open_consumer(job, "true");
  std::uint64_t sum = 0;
  const auto look = [&](const rd_kafka_message_t& m) {
    sum += static_cast<unsigned char>(key_of(m).back()) +
           static_cast<unsigned char>(*static_cast<const char*>(m.payload));
  };
  std::int64_t left = job.events;
  while (left == job.events) left -= static_cast<std::int64_t>(consumer.take(wait_ms, look));
  const auto s = timed(
      [&] {
        while (left > 0) left -= static_cast<std::int64_t>(consumer.take(wait_ms, look));
      },
      whose::process);
  if (sum == 0) throw std::runtime_error{"the events are empty"};
  return s;
}

spent count_by_hand(const loop_job& job, const std::string& output, updates form) {
  auto consumer = open_consumer(job, "false");
  transaction now{job.address, job.group, job.input, consumer.get()};
  auto topic = open_topic(now.producer(), output);
  if (form == updates::as_the_engines) {
    full_updates out{now.producer().get(), std::move(topic), job.input};
    return count_into(job, consumer, now, out);
  }
  bare_updates out{std::move(topic)};
  return count_into(job, consumer, now, out);
}

}  // namespace bench::kafka
