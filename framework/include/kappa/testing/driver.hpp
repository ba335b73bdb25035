// The test driver: an app on a memory log, on the test's own thread, in event time.
//
//   kappa::testing::driver driver{flights_app()};
//   driver.send("flights", flight{…});
//   driver.advance_event_time(ts("2001-01-01T09:11"));
//   BOOST_TEST(driver.read<delay_alert>("delay-alerts").size() == 1);
//
// Aggregates are asked: `driver.ask<account>("ann", deposit{500})`. Their clock stands still, too.
//
// On destruction the driver runs the same script twice more, restarting the app at every epoch:
// once with a snapshot after each commit, once with none, and compares outputs and state. It also
// checks that everything it sees in topics and state decodes and encodes to the same bytes. A
// difference is a defect of the app (code that is not deterministic, a codec that loses
// something) or of Kappa.
//
// Threading: one thread. Errors: a failed call throws std::runtime_error, so that the test fails
// there; the destructor reports to `on_difference`.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <typeindex>
#include <variant>
#include <vector>

#include "kappa/aggregate/command_result.hpp"
#include "kappa/aggregate/personal_data.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/time.hpp"
#include "kappa/keys/key_ring.hpp"
#include "kappa/log/memory_log.hpp"
#include "kappa/stream/app.hpp"
#include "kappa/stream/window.hpp"
#include "kappa/task/local_runner.hpp"
#include "kappa/testing/clock.hpp"
#include "kappa/testing/round_trip.hpp"

namespace kappa::testing {

/// `ts("2001-01-01T08:10")`: a point in event time. Throws on anything that is not one.
[[nodiscard]] timestamp ts(std::string_view text);

struct driver_options {
  std::int32_t partitions = 1;
  /// Steps of a task before its T1.
  std::size_t steps_per_epoch = 256;
  task_limits limits{};
  /// Skip the shadow runs (for tests of the driver, or very long scripts).
  bool shadows = true;
  /// Gets a report when a shadow differs. Default: prints it and aborts the process.
  std::function<void(const std::string&)> on_difference{};
};

/// A record as an app's reader sees it.
template <class T>
struct read_record {
  std::optional<bytes> key;
  T value;
  timestamp time;
  std::vector<std::pair<std::string, bytes>> headers;
};

class driver {
 public:
  explicit driver(const app& a, driver_options options = {});
  ~driver();
  driver(const driver&) = delete;
  driver& operator=(const driver&) = delete;

  /// Appends a record to a topic from outside, and lets the app process it. Time and key are the
  /// element's own (event_traits), else `at` and `key`.
  template <class T>
  void send(const std::string& topic, const T& value, std::optional<timestamp> at = {},
            std::optional<bytes> key = {}) {
    if constexpr (has_event_time<T>) {
      if (!at) at = event_traits<T>::time(value);
    }
    if constexpr (has_event_key<T>) {
      if (!key) event_traits<T>::key(value, key.emplace());
    }
    check(check_round_trip(value));
    send_bytes(topic, encoded(value), at.value_or(timestamp{}), key);
  }
  /// A record of any bytes, well-formed or not.
  void send_bytes(const std::string& topic, bytes value, timestamp at,
                  std::optional<bytes> key = {}, std::optional<partition> to = {});

  /// Asks the aggregate A under this key; when it returns, all that follows is done: commands that
  /// it sends, streams of its events. `expected`: only if it is at this version.
  template <aggregate_type A, class K, class C>
  command_result ask(const K& key, const C& command, std::string id = {},
                     std::optional<std::uint64_t> expected = {}) {
    static_assert(commands_of<A>::template contains<C>,
                  "this command is not of the aggregate's protocol");
    auto body = kappa::detail::encoded_sealed(command, encoded(key), keys());
    if (!body) throw std::runtime_error{body.error().text()};
    return ask_bytes(typeid(A), codec<K>::schema().fingerprint, encoded(key),
                     commands_of<A>::template place_of<C>, std::move(*body), std::move(id),
                     expected);
  }
  template <aggregate_type A, class C>
  command_result ask(const char* key, const C& command, std::string id = {},
                     std::optional<std::uint64_t> expected = {}) {
    return ask<A>(std::string{key}, command, std::move(id), expected);
  }
  /// Moves the clock that aggregates see by so much, so that their deadlines pass. Event time
  /// stands still. It begins at first_moment.
  void advance_clock(milliseconds by);
  [[nodiscard]] timestamp now() const;

  /// Moves event time of all inputs from outside: windows whose grace is over close.
  void advance_event_time(timestamp t);
  /// All inputs end: open windows close.
  void end_of_input();
  /// Drops the app as a crash would, and starts it again.
  void restart(bool with_snapshot = false);

  /// The records that were added to `topic` since the last read of it.
  template <class T>
  std::vector<T> read(const std::string& topic) {
    std::vector<T> values;
    for (auto& r : read_records<T>(topic)) values.push_back(std::move(r.value));
    return values;
  }
  template <class T>
  std::vector<read_record<T>> read_records(const std::string& topic) {
    std::vector<read_record<T>> records;
    for (auto& raw : read_raw(topic)) {
      auto value = codec<T>::decode(raw.value);
      if (!value) throw std::runtime_error{topic + ": " + value.error().text()};
      records.push_back({std::move(raw.key), std::move(*value), raw.time, std::move(raw.headers)});
    }
    return records;
  }
  /// The app's dead letters since the last read of them: the original values.
  std::vector<read_record<bytes>> dead_letters();

  /// The state of a key, as a query would see it.
  template <class S, encodable K>
  std::optional<S> get(const std::string& stage, const K& key) {
    return decode_state<S>(stage, encoded(key), encoded(key));
  }
  template <class S>
  std::optional<S> get(const std::string& stage, const char* key) {
    return get<S>(stage, std::string{key});
  }
  /// The state of a key's window.
  template <class S, class K>
  std::optional<S> get(const std::string& stage, const K& key, timestamp window_start) {
    return decode_state<S>(stage, encoded(key), window_state_key(encoded(key), window_start));
  }

  /// What is under this key of the aggregate A; nothing: it never was, or is gone.
  template <aggregate_type A, encodable K>
  std::optional<aggregate_entry<A>> entry(const K& key) {
    const auto stage = stage_of(typeid(A), codec<K>::schema().fingerprint);
    auto found = decode_state<aggregate_entry<A>>(stage, encoded(key), encoded(key));
    if (!found || found->gone) return std::nullopt;
    check(kappa::detail::open_personal(found->state, keys()));
    return found;
  }
  template <aggregate_type A>
  std::optional<aggregate_entry<A>> entry(const char* key) {
    return entry<A>(std::string{key});
  }

  /// The app's, whose commits fail where a test wants it (memory_log::set_commit_fault); the
  /// shadows' own do not, so that what comes of it must be the same as without.
  [[nodiscard]] memory_log& log();
  [[nodiscard]] local_runner& runner();
  /// Runs the shadows now (the destructor then does not): the differences, one a line.
  [[nodiscard]] std::string verify();

 private:
  struct inside;

  static void check(const result<void>& done);
  key_ring* keys();
  std::string stage_of(std::type_index aggregate, std::uint64_t key_fingerprint);
  command_result ask_bytes(std::type_index aggregate, std::uint64_t key_fingerprint, bytes key,
                           std::size_t command, bytes body, std::string id,
                           std::optional<std::uint64_t> expected);
  std::vector<read_record<bytes>> read_raw(const std::string& topic);
  std::optional<bytes> read_state(const std::string& stage, const bytes& key,
                                  const bytes& state_key);
  template <class S>
  std::optional<S> decode_state(const std::string& stage, const bytes& key,
                                const bytes& state_key) {
    const auto raw = read_state(stage, key, state_key);
    if (!raw) return std::nullopt;
    auto value = codec<S>::decode(*raw);
    if (!value) throw std::runtime_error{stage + ": " + value.error().text()};
    return std::move(*value);
  }

  std::unique_ptr<inside> in_;
};

}  // namespace kappa::testing
