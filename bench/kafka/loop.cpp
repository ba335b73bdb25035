#include "kafka/loop.hpp"

#include <chrono>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "counts.hpp"
#include "kafka/plain_client.hpp"

namespace bench::kafka {
namespace {

using clock = std::chrono::steady_clock;

constexpr int wait_ms = 10;
constexpr int patience_ms = 60'000;

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

class transactional_output {
 public:
  transactional_output(const loop_job& job, const std::string& topic, rd_kafka_t* consumer)
      : input_{job.input},
        consumer_{consumer},
        producer_{open_producer({{"bootstrap.servers", job.address},
                                 {"transactional.id", job.group},
                                 {"linger.ms", "5"},
                                 {"queue.buffering.max.messages", "1000000"}})},
        topic_{open_topic(producer_, topic)} {
    must(fault{rd_kafka_init_transactions(producer_.get(), patience_ms)}, "init");
    begin();
  }

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
    const auto partition = static_cast<std::size_t>(from.partition);
    if (partition >= next_.size()) next_.resize(partition + 1, RD_KAFKA_OFFSET_INVALID);
    next_[partition] = from.offset + 1;
    if (size_ == messages_.size()) produce();
  }

  void produce() {
    const auto n = static_cast<int>(size_);
    if (rd_kafka_produce_batch(topic_.get(), RD_KAFKA_PARTITION_UA,
                               RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_PARTITION, messages_.data(),
                               n) != n)
      throw std::runtime_error{"the producer's queue is full"};
    size_ = 0;
  }

  void commit() {
    produce();
    const partition_list offsets{rd_kafka_topic_partition_list_new(static_cast<int>(next_.size()))};
    for (std::size_t p = 0; p < next_.size(); ++p) {
      if (next_[p] == RD_KAFKA_OFFSET_INVALID) continue;
      rd_kafka_topic_partition_list_add(offsets.get(), input_.c_str(), static_cast<std::int32_t>(p))
          ->offset = next_[p];
    }
    const kappa::kafka::group_metadata who{rd_kafka_consumer_group_metadata(consumer_)};
    must(fault{rd_kafka_send_offsets_to_transaction(producer_.get(), offsets.get(), who.get(),
                                                    patience_ms)},
         "offsets");
    must(fault{rd_kafka_commit_transaction(producer_.get(), patience_ms)}, "commit");
  }

  void begin() { must(fault{rd_kafka_begin_transaction(producer_.get())}, "begin"); }

 private:
  struct pair {
    char key[8];
    std::int64_t count;
  };
  std::string input_;
  rd_kafka_t* consumer_;
  handle producer_;
  topic_handle topic_;
  std::array<rd_kafka_message_t, 1000> messages_{};
  std::array<pair, 1000> pairs_{};
  std::size_t size_ = 0;
  std::vector<std::int64_t> next_;  // of each partition
};

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

spent count_by_hand(const loop_job& job, const std::string& output) {
  constexpr std::chrono::milliseconds interval{100};
  auto consumer = open_consumer(job, "false");
  transactional_output out{job, output, consumer.get()};
  counts_by_key counts;
  const auto count = [&](const rd_kafka_message_t& m) { out.add(m, count_one(counts, key_of(m))); };
  std::int64_t left = job.events;
  while (left == job.events) left -= static_cast<std::int64_t>(consumer.take(wait_ms, count));
  return timed(
      [&] {
        auto until = clock::now() + interval;
        while (left > 0) {
          left -= static_cast<std::int64_t>(consumer.take(wait_ms, count));
          if (left > 0 && clock::now() < until) continue;
          out.commit();
          if (left > 0) out.begin();
          until = clock::now() + interval;
        }
      },
      whose::process);
}

}  // namespace bench::kafka
