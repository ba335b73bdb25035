// Contract of the logs on this machine: what Kafka leaves to its brokers, or does not promise.
#pragma once

#include <thread>

#include "log/contract.hpp"

namespace log_contract {

LOG_CONTRACT(a_topic_may_have_the_longest_name_and_the_most_partitions) {
  f.create(std::string(249, 'x'), 1024);
}

LOG_CONTRACT(a_writer_whose_app_was_taken_over_commits_not_even_nothing) {
  const auto old = must(f.log().open_writer({"app", {}}));
  f.lose_lock("app");
  const auto fresh = must(f.log().open_writer({"app", {}}));
  must_fail(old->commit(log_transaction{}), errc::fenced);
}

LOG_CONTRACT(nobody_sees_half_a_transaction) {
  const auto a = f.create("a", 2, "app");
  const auto writer = must(f.log().open_writer({"app", {}}));
  std::atomic<bool> done = false;
  std::thread writing{[&] {
    log_transaction tx;
    tx.appends = {{tp(a, 0), batch_of({"x"})}, {tp(a, 1), batch_of({"y"})}};
    for (int i = 0; i < 100; ++i) (void)writer->commit(tx);
    done = true;
  }};
  bool torn = false;
  while (!done) {
    // What is looked at later is at least as new.
    for (const auto& [first, second] : {std::pair{0, 1}, std::pair{1, 0}}) {
      const auto earlier = f.log().bounds(tp(a, first));
      const auto later = f.log().bounds(tp(a, second));
      torn = torn || !earlier || !later || later->latest < earlier->latest;
    }
  }
  writing.join();
  BOOST_TEST(!torn);
  BOOST_TEST(must(f.log().bounds(tp(a, 0))).latest == offset{100});
  BOOST_TEST(must(f.log().bounds(tp(a, 1))).latest == offset{100});
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
  BOOST_TEST(*read_at_hand(f.log(), *reader, offset{5}, 100).records()[0].value == "5");
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
  BOOST_TEST(read_at_hand(f.log(), tp(topic), offset{3}, 100).empty());
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

}  // namespace log_contract
