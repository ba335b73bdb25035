#include "kafka/paced_load.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "kappa/core/codec.hpp"
#include "kappa/core/partitioner.hpp"

namespace bench::kafka {

using namespace std::chrono_literals;

void stamp(event& e, moment now) {
  const auto ticks = now.time_since_epoch().count();
  static_assert(sizeof ticks == 2 * sizeof e.rest[0]);
  std::memcpy(e.rest, &ticks, sizeof ticks);
}

moment stamped(const rd_kafka_message_t& m) {
  event e;
  if (m.len != sizeof e) throw std::runtime_error{"a message is no event"};
  std::memcpy(&e, m.payload, sizeof e);
  moment::rep ticks = 0;
  std::memcpy(&ticks, e.rest, sizeof ticks);
  return moment{moment::duration{ticks}};
}

paced_load::paced_load(const std::string& address, plan p)
    : plan_{std::move(p)},
      producer_{open_producer(
          {{"bootstrap.servers", address}, {"linger.ms", "0"}, {"enable.idempotence", "true"}})},
      topic_{open_topic(producer_, plan_.topic)},
      thread_{[this] {
        try {
          run();
        } catch (...) {
          failed_ = std::current_exception();
          ended_ = true;
        }
      }} {}

paced_load::~paced_load() {
  stopping_ = true;
  thread_.join();
}

void paced_load::send(std::uint32_t key) {
  event e;
  e.customer = key;
  stamp(e, std::chrono::steady_clock::now());
  kappa::bytes k;
  kappa::append_ordered(k, std::int64_t{key});
  if (rd_kafka_produce(topic_.get(), kappa::partition_of(k, plan_.partitions).value,
                       RD_KAFKA_MSG_F_COPY, &e, sizeof e, k.data(), k.size(), nullptr) != 0)
    expect_ok(rd_kafka_last_error(), "produce");
}

void paced_load::run() {
  const auto keys = accesses(distribution::uniform, plan_.keys, 1 << 16);
  const auto began = std::chrono::steady_clock::now();
  std::size_t sent = 0;
  for (auto next = began; !stopping_;
       next = std::max(next + 1ms, std::chrono::steady_clock::now())) {
    std::this_thread::sleep_until(next);
    const std::chrono::duration<double> since = std::chrono::steady_clock::now() - began;
    const auto due = static_cast<std::size_t>(since.count() * plan_.per_second);
    for (; sent < due; ++sent) send(keys[sent % keys.size()]);
  }
  expect_ok(rd_kafka_flush(producer_.get(), 30'000), "flush");
}

}  // namespace bench::kafka
