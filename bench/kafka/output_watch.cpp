#include "kafka/output_watch.hpp"

#include <algorithm>

namespace bench::kafka {

output_watch::output_watch(const std::string& address, const std::string& topic,
                           std::int32_t partitions)
    : consumer_{plain_consumer::of_all({{"bootstrap.servers", address},
                                        {"isolation.level", "read_committed"},
                                        {"fetch.wait.max.ms", "10"}},
                                       topic, partitions, 0)},
      sights_(static_cast<std::size_t>(partitions)),
      thread_{[this] {
        try {
          run();
        } catch (...) {
          const std::lock_guard lock{mutex_};
          failed_ = std::current_exception();
        }
      }} {}

output_watch::~output_watch() {
  stopping_ = true;
  thread_.join();
}

void output_watch::run() {
  while (!stopping_) {
    consumer_.take(100, [&](const rd_kafka_message_t& m) {
      const std::lock_guard lock{mutex_};
      sights_.at(static_cast<std::size_t>(m.partition))
          .push_back({std::chrono::steady_clock::now(), stamped(m)});
    });
  }
}

void output_watch::check() const {
  const std::lock_guard lock{mutex_};
  if (failed_) std::rethrow_exception(failed_);
}

std::int64_t output_watch::count() const {
  const std::lock_guard lock{mutex_};
  std::int64_t n = 0;
  for (const auto& all : sights_) n += static_cast<std::int64_t>(all.size());
  return n;
}

std::optional<moment> output_watch::first_made_after(std::int32_t partition, moment from) const {
  const std::lock_guard lock{mutex_};
  for (const auto& s : sights_.at(static_cast<std::size_t>(partition))) {
    if (s.seen > from && s.made > from) return s.seen;
  }
  return std::nullopt;
}

double output_watch::longest_gap_ms(std::int32_t partition, moment from, moment to) const {
  const std::lock_guard lock{mutex_};
  auto last = from;
  moment::duration longest{0};
  for (const auto& s : sights_.at(static_cast<std::size_t>(partition))) {
    if (s.seen < from || s.seen > to) continue;
    longest = std::max(longest, s.seen - last);
    last = s.seen;
  }
  longest = std::max(longest, to - last);
  return std::chrono::duration<double, std::milli>{longest}.count();
}

}  // namespace bench::kafka
