// Contract: topics, times, waiting.
#pragma once

#include <thread>

#include "log/contract.hpp"

namespace log_contract {

LOG_CONTRACT(a_topic_keeps_its_settings) {
  topic_config c;
  c.name = "orders";
  c.partitions = 4;
  c.owner = "app";
  c.retention_time = std::chrono::hours{24};
  c.retention_bytes = 1 << 30;
  c.max_record_bytes = 5000;
  f.create(c);
  BOOST_TEST((must(f.log().find_topic("orders")) == c));
  f.create("another");
  BOOST_TEST(must(f.log().topics()).size() == 2U);
  f.reopen();
  BOOST_TEST((must(f.log().find_topic("orders")) == c));
}

LOG_CONTRACT(creating_a_topic_again_changes_retention_and_nothing_else) {
  f.create("orders", 2, "app");
  topic_config again;
  again.name = "orders";
  again.partitions = 2;
  again.owner = "app";
  again.retention_time = std::chrono::hours{1};
  must(f.log().create_topic(again));
  BOOST_TEST((must(f.log().find_topic("orders"))->retention_time == std::chrono::hours{1}));
  again.partitions = 3;
  must_fail(f.log().create_topic(again), errc::already_exists, "partitions is 2, asked for is 3");
  again.partitions = 2;
  again.owner = "other";
  must_fail(f.log().create_topic(again), errc::already_exists, "the owner is ");
}

LOG_CONTRACT(a_topic_with_impossible_settings_is_refused) {
  const auto refused = [&](const std::function<void(topic_config&)>& change) {
    topic_config c;
    c.name = "fine";
    change(c);
    must_fail(f.log().create_topic(c), errc::invalid_argument);
  };
  for (const std::string name : {"", ".", "..", "a b", "a/b", "ä"}) {
    refused([&](topic_config& c) { c.name = name; });
  }
  refused([](topic_config& c) { c.name = std::string(250, 'x'); });
  refused([](topic_config& c) { c.partitions = 0; });
  refused([](topic_config& c) { c.partitions = 1025; });
  refused([](topic_config& c) { c.max_record_bytes = 0; });
  refused([](topic_config& c) { c.max_record_bytes = (64 << 20) + 1; });
  refused([](topic_config& c) { c.retention_time = milliseconds{0}; });
  refused([](topic_config& c) { c.owner = "not a name"; });
  BOOST_TEST(must(f.log().topics()).empty());
}

LOG_CONTRACT(offset_for_time_gives_the_first_record_not_before_it) {
  const auto topic = f.create("orders");
  BOOST_TEST(must(f.log().offset_for_time(tp(topic), at(5))) == offset{0});
  const std::vector<std::int64_t> times{10, 30, 20, 20, 50, 5, 40, 60};
  for (const auto t : times) {
    record_batch b;
    b.add(at(t), "k", "v");
    must(f.log().append(tp(topic), b));
  }
  for (std::int64_t t = 0; t <= 61; ++t) {
    const auto first = std::find_if(times.begin(), times.end(), [&](auto v) { return v >= t; });
    BOOST_TEST(must(f.log().offset_for_time(tp(topic), at(t))) == offset{first - times.begin()},
               "for time " << t);
  }
}

LOG_CONTRACT(offset_for_time_looks_inside_batches) {
  const auto topic = f.create("orders");
  record_batch b;
  for (const std::int64_t t : {10, 40, 20, 30}) b.add(at(t), "k", "v");
  must(f.log().append(tp(topic), b));
  BOOST_TEST(must(f.log().offset_for_time(tp(topic), at(11))) == offset{1});
  BOOST_TEST(must(f.log().offset_for_time(tp(topic), at(41))) == offset{4});
}

LOG_CONTRACT(offset_for_time_is_right_in_a_long_disordered_partition) {
  const auto topic = f.create("orders", 2);
  std::vector<std::int64_t> times;
  std::uint64_t random = 42;
  const std::string filling(500, 'x');
  for (int i = 0; i < 12; ++i) {
    record_batch b;
    for (int n = 0; n < 1000; ++n) {
      random = random * 6364136223846793005U + 1442695040888963407U;
      times.push_back(static_cast<std::int64_t>(times.size()) * 10 +
                      static_cast<std::int64_t>(random >> 54));
      b.add(at(times.back()), "k", filling);
    }
    must(f.log().append(tp(topic), b));
    must(f.log().append(tp(topic, 1), *batch_of({filling}, 1'000'000)));  // must not mix
  }
  for (std::int64_t t = 0; t < 121'000; t += 1777) {
    const auto first = std::find_if(times.begin(), times.end(), [&](auto v) { return v >= t; });
    BOOST_TEST(must(f.log().offset_for_time(tp(topic), at(t))) == offset{first - times.begin()},
               "for time " << t);
  }
}

// ---- waiting

LOG_CONTRACT(a_reader_waits_without_polling) {
  const auto topic = f.create("orders", 2);
  event_count calls;
  const auto reader = must(f.log().open_reader(tp(topic)));
  const auto waiting = must(reader->subscribe([&] { calls.happened(); }));
  offset from{0};
  must(reader->start(from));
  std::thread appending{[&] {
    for (int i = 0; i < 20; ++i) (void)f.log().append(tp(topic), *batch_of({std::to_string(i)}));
  }};
  std::vector<std::string> seen;
  while (seen.size() < 20) {
    const int before = calls.count();
    const auto batch = must(reader->read(from, 1 << 20));
    for (const auto& r : batch.records()) seen.emplace_back(*r.value);
    from = batch.next();
    if (batch.empty() && !calls.wait_for_more_than(before)) break;
  }
  appending.join();
  BOOST_TEST(seen.size() == 20U);
}

/// A reader that has been called at least once for each time that something came.
class listener {
 public:
  listener(fixture& f, const topic_partition& where)
      : reader_{must(f.log().open_reader(where))}, waiting_{must(reader_->subscribe([this] {
          calls_.happened();
        }))} {
    must(reader_->start(next_));
  }
  void stop_listening() { waiting_.reset(); }
  [[nodiscard]] int calls() const { return calls_.count(); }
  /// Reads until `count` records have come, waiting for calls only.
  void hear(std::size_t count) {
    for (std::size_t seen = 0; seen < count;) {
      const int before = calls_.count();
      const auto batch = must(reader_->read(next_, 1 << 20));
      seen += batch.records().size();
      next_ = batch.next();
      if (batch.empty()) BOOST_REQUIRE(calls_.wait_for_more_than(before));
    }
  }

 private:
  event_count calls_;
  offset next_{0};
  std::unique_ptr<log_reader> reader_;
  std::unique_ptr<subscription> waiting_;
};

LOG_CONTRACT(a_transaction_wakes_the_readers_of_all_its_partitions) {
  const auto topic = f.create("a", 2, "app");
  const auto writer = must(f.log().open_writer({"app", {}}));
  listener zero{f, tp(topic, 0)};
  listener one{f, tp(topic, 1)};
  for (int round = 0; round < 3; ++round) {
    log_transaction tx;
    tx.appends = {{tp(topic, 0), batch_of({"x"})}, {tp(topic, 1), batch_of({"y"})}};
    must(writer->commit(tx));
    zero.hear(1);
    one.hear(1);
  }
}

LOG_CONTRACT(after_unsubscribing_nobody_is_called) {
  const auto topic = f.create("orders");
  listener gone{f, tp(topic)};
  listener here{f, tp(topic)};
  gone.stop_listening();
  const int called = gone.calls();
  for (int i = 0; i < 3; ++i) {
    must(f.log().append(tp(topic), *batch_of({"x"})));
    here.hear(1);
  }
  BOOST_TEST(gone.calls() == called);
}

LOG_CONTRACT(what_is_at_hand_is_read_without_waiting) {
  const auto topic = f.create("orders");
  must(f.log().append(tp(topic), *batch_of({"a", "b", "c"})));
  const auto reader = must(f.log().open_reader(tp(topic)));
  (void)read_at_hand(f.log(), *reader, offset{0}, 1);
  const auto at_hand = must(reader->at_hand());
  BOOST_TEST(at_hand == offset{3});
  BOOST_TEST(must(reader->end_seen()) == offset{3});
  for (offset from{1}; from < at_hand;) {
    const auto batch = must(reader->read(from, 1));
    BOOST_REQUIRE(!batch.empty());
    from = batch.next();
  }
}

}  // namespace log_contract
