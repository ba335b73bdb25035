// What every log must do. Each case is a claim; a log passes by registering a fixture:
//
//   const bool registered = log_contract::add_suite("memory", [] { return std::make_unique<…>();
//   });
//
// Cases get a fresh log each. They wait for conditions, never for time to pass.
#pragma once

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "kappa/log/event_log.hpp"
#include "kappa/log/wait_and_read.hpp"
#include "support/must.hpp"

namespace log_contract {

using namespace kappa;  // NOLINT: tests

/// One log, and what a test may do to it from outside.
class fixture {
 public:
  virtual ~fixture() = default;
  virtual event_log& log() = 0;
  /// As after a restart of the process: readers, writers, subscriptions are gone by then.
  virtual void reopen() = 0;
  /// Lets another writer take `app` although one is open.
  virtual void lose_lock(const std::string& app) = 0;
  /// Offsets that a transaction takes in each partition besides those of its records.
  virtual std::int64_t commit_offsets() const { return 0; }

  /// Makes a topic and gives its name.
  std::string create(const std::string& name, std::int32_t partitions = 1, std::string owner = {}) {
    topic_config c;
    c.name = name;
    c.partitions = partitions;
    c.owner = std::move(owner);
    return create(c);
  }
  std::string create(const topic_config& c) {
    const auto r = log().create_topic(c);
    BOOST_REQUIRE_MESSAGE(r, (r ? std::string{} : r.error().text()));
    return c.name;
  }
  /// For the positions of a stage's tasks.
  void make_room(const std::string& app, const std::string& stage, std::int32_t tasks = 1,
                 std::int32_t generation_number = 1) {
    const auto r = log().make_room({app, stage, generation{generation_number}, tasks});
    BOOST_REQUIRE_MESSAGE(r, (r ? std::string{} : r.error().text()));
  }
};

using make_fixture = std::function<std::unique_ptr<fixture>()>;

struct contract_case {
  const char* name;
  const char* file;
  std::size_t line;
  void (*run)(fixture&);
};
inline std::vector<contract_case>& cases() {
  static std::vector<contract_case> all;
  return all;
}
inline bool add_case(const contract_case& c) {
  cases().push_back(c);
  return true;
}

/// Registers all cases that were included above, for one kind of log.
inline bool add_suite(const char* log_name, const make_fixture& make) {
  namespace ut = boost::unit_test;
  auto* const suite =
      BOOST_TEST_SUITE((std::string{"contract_of_the_"} + log_name + "_log").c_str());
  for (const auto& c : cases()) {
    suite->add(ut::make_test_case(
        [make, run = c.run] {
          const auto f = make();
          run(*f);
        },
        c.name, c.file, c.line));
  }
  ut::framework::master_test_suite().add(suite);
  return true;
}

#define LOG_CONTRACT(name)                                                          \
  inline void name(::log_contract::fixture& f);                                     \
  inline const bool name##_added =                                                  \
      ::log_contract::add_case({#name, __FILE__, __LINE__, &::log_contract::name}); \
  inline void name([[maybe_unused]] ::log_contract::fixture& f)

// ---- helpers

using kappa::test::must;

/// Checks that it failed, and how; `mentions` must be in the error's text.
template <class T>
void must_fail(const result<T>& r, errc code, const std::string& mentions = {}) {
  BOOST_REQUIRE(!r);
  BOOST_TEST(name_of(r.error().code) == name_of(code), r.error().text());
  BOOST_TEST(r.error().text().find(mentions) != std::string::npos,
             "\"" << r.error().text() << "\" does not say \"" << mentions << "\"");
}

inline timestamp at(std::int64_t ms) { return timestamp{milliseconds{ms}}; }
inline topic_partition tp(const std::string& topic, std::int32_t n = 0) {
  return {topic, partition{n}};
}

/// Records with these values, keys "k", times 0, 1, 2 … ms from `start`.
inline std::shared_ptr<record_batch> batch_of(const std::vector<std::string>& values,
                                              std::int64_t start = 0) {
  auto b = std::make_shared<record_batch>();
  for (const auto& v : values) b->add(at(start++), "k", v);
  return b;
}

/// A thing that happens on another thread, to wait for.
class event_count {
 public:
  void happened() {
    const std::lock_guard lock{mutex_};
    ++count_;
    changed_.notify_all();
  }
  [[nodiscard]] int count() const {
    const std::lock_guard lock{mutex_};
    return count_;
  }
  /// False when it did not happen in a time that is far too long.
  [[nodiscard]] bool wait_for_more_than(int count) const {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, std::chrono::seconds{60}, [&] { return count_ > count; });
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  int count_ = 0;
};

/// One read, once all that the partition has is at hand.
inline read_batch read_at_hand(event_log& log, log_reader& reader, offset from,
                               std::size_t max_bytes) {
  const auto end = must(log.settled_end(reader.where()));
  event_count calls;
  const auto waiting = must(reader.subscribe([&] { calls.happened(); }));
  must(reader.start(from));
  for (;;) {
    const int before = calls.count();
    if (must(reader.at_hand()) >= end) return must(reader.read(from, max_bytes));
    BOOST_REQUIRE(calls.wait_for_more_than(before));
  }
}
inline read_batch read_at_hand(event_log& log, const topic_partition& where, offset from,
                               std::size_t max_bytes) {
  return read_at_hand(log, *must(log.open_reader(where)), from, max_bytes);
}

/// All values from `from` to the end, over as many reads as it takes.
inline std::vector<std::string> values_of(event_log& log, const topic_partition& where, offset from,
                                          std::size_t max_bytes = 1 << 20) {
  std::vector<std::string> out;
  const auto reader = must(log.open_reader(where));
  const auto end = must(log.settled_end(where));
  while (from < end) {
    const auto batch = must(wait_and_read(*reader, from, end, max_bytes));
    for (const auto& r : batch.records()) out.emplace_back(r.value.value_or("(null)"));
    from = batch.next();
  }
  return out;
}
inline std::vector<std::string> values_of(event_log& log, const topic_partition& where) {
  return values_of(log, where, must(log.bounds(where)).earliest);
}

inline position_key key_of(const std::string& app, const std::string& stage,
                           const std::string& input, std::int32_t task = 0,
                           std::int32_t generation_number = 1) {
  return {app, stage, generation{generation_number}, partition{task}, input};
}

}  // namespace log_contract

namespace kappa {
inline std::ostream& boost_test_print_type(std::ostream& out, const offset& o) {
  return out << o.value;
}
}  // namespace kappa
