#include "events.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "bench.hpp"
#include "kappa/core/partitioner.hpp"

namespace bench {

std::string name_of(distribution d) { return d == distribution::zipf ? "Zipf" : "uniform"; }

std::vector<std::uint32_t> accesses(distribution d, std::uint32_t keys, std::size_t n) {
  std::mt19937_64 random{42};
  std::vector<std::uint32_t> out(n);
  if (d == distribution::uniform) {
    for (auto& x : out) x = static_cast<std::uint32_t>(random() % keys);
    return out;
  }
  std::vector<double> sum(keys);
  double total = 0;
  for (std::size_t i = 0; i < keys; ++i) sum[i] = total += 1.0 / std::pow(double(i + 1), 0.99);
  std::vector<std::uint32_t> place(keys);
  std::iota(place.begin(), place.end(), 0U);
  std::shuffle(place.begin(), place.end(), random);
  std::uniform_real_distribution<double> u{0, total};
  for (auto& x : out) {
    const auto it = std::lower_bound(sum.begin(), sum.end(), u(random));
    x = place[static_cast<std::size_t>(it - sum.begin())];
  }
  return out;
}

void event_maker::add(kappa::record_batch& to) {
  event e;
  e.customer = keys_[static_cast<std::size_t>(made_) % keys_.size()];
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  e.amount = static_cast<std::uint32_t>(random_ % 10'000);
  for (std::uint32_t i = 0; i < 21; ++i) e.rest[i] = static_cast<std::uint32_t>(random_ >> i);
  kappa::bytes key;
  kappa::append_ordered(key, std::int64_t{e.customer});
  to.add(kappa::timestamp{kappa::milliseconds{made_ / 10}}, key,
         kappa::bytes_view{reinterpret_cast<const char*>(&e), sizeof e});
  ++made_;
}

kappa::record_batch event_maker::next(std::int64_t n) {
  kappa::record_batch b;
  for (std::int64_t i = 0; i < n; ++i) add(b);
  return b;
}

void event_maker::fill(kappa::event_log& log, const std::string& topic, std::int32_t partitions,
                       std::int64_t n) {
  constexpr std::int64_t per_batch = 4096;
  std::vector<kappa::record_batch> batches(static_cast<std::size_t>(partitions));
  for (std::int64_t left = n; left > 0;) {
    const auto now = std::min(left, per_batch * partitions);
    for (std::int64_t i = 0; i < now; ++i) {
      if (partitions == 1) {
        add(batches.front());
        continue;
      }
      kappa::bytes key;
      kappa::append_ordered(key,
                            std::int64_t{keys_[static_cast<std::size_t>(made_) % keys_.size()]});
      add(batches[static_cast<std::size_t>(kappa::partition_of(key, partitions).value)]);
    }
    for (std::int32_t p = 0; p < partitions; ++p) {
      auto& b = batches[static_cast<std::size_t>(p)];
      if (!b.empty()) must(log.append({topic, kappa::partition{p}}, b, std::nullopt));
      b.clear();
    }
    left -= now;
  }
}

void make_topic(kappa::event_log& log, const std::string& topic, std::int32_t partitions,
                event_maker events, std::int64_t n) {
  must(log.create_topic({.name = topic, .partitions = partitions}));
  events.fill(log, topic, partitions, n);
}

}  // namespace bench
