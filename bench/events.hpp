// The events that all benchmarks process: 100 B (a key of 8, a value of 92), and which key each
// has.
//
// Threading: plain functions.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "kappa/core/codec.hpp"
#include "kappa/log/event_log.hpp"

namespace bench {

struct event {
  std::uint32_t customer = 0;
  std::uint32_t amount = 0;  // 0 … 9999, any as often
  std::uint32_t rest[21] = {};
};
static_assert(sizeof(event) == 92);

/// Passes 1 %.
inline bool is_large(const event& e) { return e.amount < 100; }

enum class distribution { uniform, zipf };  // zipf: exponent 0.99
[[nodiscard]] std::string name_of(distribution d);

/// Key numbers below `keys`, one an access; the same for the same arguments.
[[nodiscard]] std::vector<std::uint32_t> accesses(distribution d, std::uint32_t keys,
                                                  std::size_t n);

/// Makes events in batches, over and over the same list of keys.
class event_maker {
 public:
  explicit event_maker(std::vector<std::uint32_t> keys) : keys_{std::move(keys)} {}
  /// The next `n` events; event time moves 1 ms every 10 events.
  [[nodiscard]] kappa::record_batch next(std::int64_t n);
  /// Appends the next `n`, each to its key's partition, about 0.5 MB a partition and commit.
  void fill(kappa::event_log& log, const std::string& topic, std::int32_t partitions,
            std::int64_t n);

 private:
  void add(kappa::record_batch& to);
  std::vector<std::uint32_t> keys_;
  std::int64_t made_ = 0;
  std::uint64_t random_ = 88172645463325252ULL;
};

/// A topic of that name with `n` events.
void make_topic(kappa::event_log& log, const std::string& topic, std::int32_t partitions,
                event_maker events, std::int64_t n);

}  // namespace bench

template <>
struct kappa::codec<bench::event> {
  static void encode(const bench::event& v, bytes& out) {
    out.append(reinterpret_cast<const char*>(&v), sizeof v);
  }
  static result<bench::event> decode(bytes_view in) {
    result<bench::event> v{tl::in_place};
    if (in.size() == sizeof(bench::event)) {
      std::memcpy(&*v, in.data(), sizeof(bench::event));
    } else {
      v = fail(errc::decode, "event", "size");
    }
    return v;
  }
  static schema_info schema() { return {"event", 0, 1, "event", nullptr}; }
};
