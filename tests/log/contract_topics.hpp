// Contract: topics, times, retention, waiting.
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
  must_fail(f.log().create_topic(again), errc::already_exists, "owner is app, asked for is other");
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
  f.create(std::string(249, 'x'), 1024);
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

inline std::string with_retention(fixture& f, std::optional<milliseconds> time,
                                  std::optional<std::uint64_t> size) {
  topic_config c;
  c.name = "orders";
  c.partitions = 2;
  c.retention_time = time;
  c.retention_bytes = size;
  return f.create(c);
}

LOG_CONTRACT(retention_by_time_removes_the_old_head_and_keeps_offsets) {
  const auto topic = with_retention(f, milliseconds{1000}, {});
  for (std::int64_t i = 0; i < 10; ++i) {
    must(f.log().append(tp(topic), *batch_of({std::to_string(i)}, i * 100)));
  }
  const auto report = must(f.log().apply_retention(at(1500)));
  BOOST_TEST(report.records == 5U);
  BOOST_TEST(report.partitions == 1U);
  BOOST_TEST(report.bytes > 0U);
  const auto b = must(f.log().bounds(tp(topic)));
  BOOST_TEST(b.earliest == offset{5});
  BOOST_TEST(b.latest == offset{10});
  const auto reader = must(f.log().open_reader(tp(topic)));
  must_fail(reader->read(offset{4}, 100), errc::out_of_range, "earliest is 5");
  BOOST_TEST(*must(reader->read(offset{5}, 100)).records()[0].value == "5");
  BOOST_TEST(must(f.log().offset_for_time(tp(topic), at(0))) == offset{5});
  BOOST_TEST(must(f.log().offset_for_time(tp(topic), at(650))) == offset{7});
  BOOST_TEST(must(f.log().apply_retention(at(1500))).records == 0U);
}

LOG_CONTRACT(a_young_record_keeps_what_comes_after_it) {
  const auto topic = with_retention(f, milliseconds{1000}, {});
  must(f.log().append(tp(topic), *batch_of({"old"}, 0)));
  must(f.log().append(tp(topic), *batch_of({"young"}, 5000)));
  must(f.log().append(tp(topic), *batch_of({"late"}, 0)));
  must(f.log().apply_retention(at(3000)));
  BOOST_TEST((values_of(f.log(), tp(topic)) == std::vector<std::string>{"young", "late"}));
}

LOG_CONTRACT(retention_by_size_keeps_at_least_that_much) {
  const auto topic = with_retention(f, {}, 10'000);
  for (int i = 0; i < 100; ++i) {
    must(f.log().append(tp(topic), *batch_of({std::string(1000, 'x')})));
  }
  must(f.log().apply_retention(at(0)));
  const auto b = must(f.log().bounds(tp(topic)));
  BOOST_TEST(b.latest == offset{100});
  BOOST_TEST((b.latest - b.earliest >= 8));
  BOOST_TEST((b.latest - b.earliest <= 11));
  BOOST_TEST(values_of(f.log(), tp(topic)).size() == std::size_t(b.latest - b.earliest));
}

LOG_CONTRACT(the_next_offset_survives_the_removal_of_everything) {
  const auto topic = with_retention(f, milliseconds{10}, {});
  must(f.log().append(tp(topic), *batch_of({"a", "b", "c"})));
  BOOST_TEST(must(f.log().apply_retention(at(100'000))).records == 3U);
  f.reopen();
  const auto b = must(f.log().bounds(tp(topic)));
  BOOST_TEST(b.earliest == offset{3});
  BOOST_TEST(b.latest == offset{3});
  BOOST_TEST(must(f.log().offset_for_time(tp(topic), at(0))) == offset{3});
  BOOST_TEST(must(must(f.log().open_reader(tp(topic)))->read(offset{3}, 100)).empty());
  BOOST_TEST(must(f.log().append(tp(topic), *batch_of({"d"}))).base == offset{3});
}

LOG_CONTRACT(without_retention_everything_is_kept) {
  const auto topic = f.create("orders");
  must(f.log().append(tp(topic), *batch_of({"a"}, -1'000'000)));
  BOOST_TEST(must(f.log().apply_retention(kappa::max_time)).records == 0U);
  BOOST_TEST(values_of(f.log(), tp(topic)).size() == 1U);
}

LOG_CONTRACT(retention_and_writers_work_at_the_same_time) {
  const auto topic = with_retention(f, {}, 50'000);
  std::atomic<bool> done = false;
  std::thread removing{[&] {
    while (!done) {
      if (!f.log().apply_retention(at(0))) return;
    }
  }};
  for (int i = 0; i < 300; ++i) {
    must(f.log().append(tp(topic), *batch_of({std::to_string(i) + std::string(2000, 'x')})));
  }
  done = true;
  removing.join();
  must(f.log().apply_retention(at(0)));
  const auto b = must(f.log().bounds(tp(topic)));
  BOOST_TEST(b.latest == offset{300});
  BOOST_TEST((b.earliest > offset{250}));
  const auto values = values_of(f.log(), tp(topic));
  BOOST_TEST(std::stoll(values.front()) == b.earliest.value);
}

// ---- waiting

LOG_CONTRACT(a_reader_waits_without_polling) {
  const auto topic = f.create("orders", 2);
  event_count calls;
  const auto waiting = must(f.log().subscribe(tp(topic), [&] { calls.happened(); }));
  const auto reader = must(f.log().open_reader(tp(topic)));
  offset from{0};
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

LOG_CONTRACT(a_transaction_wakes_the_readers_of_all_its_partitions) {
  const auto topic = f.create("a", 2, "app");
  const auto writer = must(f.log().open_writer({"app", {}}));
  event_count zero;
  event_count one;
  const auto s0 = must(f.log().subscribe(tp(topic, 0), [&] { zero.happened(); }));
  const auto s1 = must(f.log().subscribe(tp(topic, 1), [&] { one.happened(); }));
  // A subscription may begin with a call of its own: read what there is, then wait for news.
  for (int round = 0; round < 3; ++round) {
    const int z = zero.count();
    const int o = one.count();
    log_transaction tx;
    tx.appends = {{tp(topic, 0), batch_of({"x"})}, {tp(topic, 1), batch_of({"y"})}};
    must(writer->commit(tx));
    BOOST_TEST(zero.wait_for_more_than(z));
    BOOST_TEST(one.wait_for_more_than(o));
  }
}

LOG_CONTRACT(after_unsubscribing_nobody_is_called) {
  const auto topic = f.create("orders");
  event_count gone;
  event_count here;
  auto first = must(f.log().subscribe(tp(topic), [&] { gone.happened(); }));
  const auto second = must(f.log().subscribe(tp(topic), [&] { here.happened(); }));
  first.reset();
  const int called = gone.count();
  for (int i = 0; i < 3; ++i) {
    const int before = here.count();
    must(f.log().append(tp(topic), *batch_of({"x"})));
    BOOST_TEST(here.wait_for_more_than(before));
  }
  BOOST_TEST(gone.count() == called);
}

}  // namespace log_contract
