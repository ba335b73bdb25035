// Contract: what is appended is what is read.
#pragma once

#include <thread>

#include "kappa/log/for_each_record.hpp"
#include "log/contract.hpp"

namespace log_contract {

LOG_CONTRACT(what_is_appended_is_read_back_in_order) {
  const auto topic = f.create("orders");
  BOOST_TEST(must(f.log().append(tp(topic), *batch_of({"a", "b"}))).base == offset{0});
  BOOST_TEST(must(f.log().append(tp(topic), *batch_of({"c"}, 7))).base == offset{2});

  const auto reader = must(f.log().open_reader(tp(topic)));
  const auto batch = read_at_hand(f.log(), *reader, offset{0}, 1 << 20);
  const auto records = batch.records();
  BOOST_REQUIRE(records.size() == 3U);
  BOOST_TEST(batch.next() == offset{3});
  for (std::int64_t i = 0; i < 3; ++i) BOOST_TEST(records[std::size_t(i)].offset == offset{i});
  BOOST_TEST(*records[1].value == "b");
  BOOST_TEST(*records[1].key == "k");
  BOOST_TEST((records[2].time == at(7)));
  BOOST_TEST((must(f.log().bounds(tp(topic))).latest == offset{3}));
}

LOG_CONTRACT(a_new_partition_is_empty_and_can_be_read) {
  const auto topic = f.create("orders", 3);
  for (std::int32_t n = 0; n < 3; ++n) {
    const auto b = must(f.log().bounds(tp(topic, n)));
    BOOST_TEST(b.earliest == offset{0});
    BOOST_TEST(b.latest == offset{0});
    const auto batch = read_at_hand(f.log(), tp(topic, n), offset{0}, 100);
    BOOST_TEST(batch.empty());
    BOOST_TEST(batch.next() == offset{0});
  }
}

LOG_CONTRACT(null_key_null_value_and_empty_ones_stay_distinct) {
  const auto topic = f.create("orders");
  record_batch b;
  b.add(at(1), std::nullopt, std::nullopt);
  b.add(at(2), "", "");
  b.add(at(3), std::nullopt, "");
  b.add(at(4), "", std::nullopt);
  must(f.log().append(tp(topic), b));
  const auto batch = read_at_hand(f.log(), tp(topic), offset{0}, 1 << 20);
  const auto r = batch.records();
  BOOST_REQUIRE(r.size() == 4U);
  BOOST_TEST((!r[0].key && !r[0].value));
  BOOST_TEST((r[1].key == "" && r[1].value == ""));
  BOOST_TEST((!r[2].key && r[2].value == ""));
  BOOST_TEST((r[3].key == "" && !r[3].value));
}

LOG_CONTRACT(headers_come_back_as_they_were_written) {
  const auto topic = f.create("orders");
  const std::string binary{"\0\xff\x01", 3};
  record_batch b;
  b.add(at(1), "k", "v", {{"trace", binary}, {"trace", "again"}, {"empty", ""}});
  b.add(at(1), "k", "v");
  must(f.log().append(tp(topic), b));
  const auto batch = read_at_hand(f.log(), tp(topic), offset{0}, 1 << 20);
  const auto r = batch.records();
  std::vector<header_view> seen;
  for (const auto& h : r[0].headers) seen.push_back(h);
  BOOST_REQUIRE(seen.size() == 3U);
  BOOST_TEST((seen[0] == header_view{"trace", binary}));
  BOOST_TEST((seen[1] == header_view{"trace", "again"}));
  BOOST_TEST((seen[2] == header_view{"empty", ""}));
  BOOST_TEST((r[0].headers.find("trace") == binary));
  BOOST_TEST((!r[0].headers.find("none")));
  BOOST_TEST(r[1].headers.empty());
}

LOG_CONTRACT(who_looks_again_and_again_is_called_when_there_is_more) {
  const auto topic = f.create("orders");
  const auto reader = must(f.log().open_reader(tp(topic)));
  event_count calls;
  const auto waiting = must(reader->subscribe([&] { calls.happened(); }));
  std::vector<std::string> seen;
  offset next{0};
  const auto look = [&] {
    next = must(for_each_record(f.log(), *reader, next, [&](const record_view& r) {
      seen.emplace_back(*r.value);
      return result<bool>{true};
    }));
  };
  // A call that comes after a look is news, whatever it is for.
  int before = calls.count();
  look();
  for (const std::string value : {"a", "b", "c"}) {
    const auto expected = seen.size() + 1;
    must(f.log().append(tp(topic), *batch_of({value})));
    while (seen.size() < expected) {
      BOOST_REQUIRE(calls.wait_for_more_than(before));
      before = calls.count();
      look();
    }
    BOOST_TEST(seen.back() == value);
  }
  const std::vector<std::string> wanted{"a", "b", "c"};
  BOOST_TEST(seen == wanted, boost::test_tools::per_element());
}

LOG_CONTRACT(times_may_be_anything) {
  const auto topic = f.create("orders");
  record_batch b;
  for (const auto t : {at(-5), at(0), at(253402300799000)}) b.add(t, "k", "v");
  must(f.log().append(tp(topic), b));
  const auto batch = read_at_hand(f.log(), tp(topic), offset{0}, 1 << 20);
  const auto r = batch.records();
  BOOST_TEST((r[0].time == at(-5)));
  BOOST_TEST((r[2].time == at(253402300799000)));
}

LOG_CONTRACT(a_read_from_inside_a_batch_starts_at_that_record) {
  const auto topic = f.create("orders");
  must(f.log().append(tp(topic), *batch_of({"a", "b", "c", "d"})));
  must(f.log().append(tp(topic), *batch_of({"e"})));
  const auto batch = read_at_hand(f.log(), tp(topic), offset{2}, 1 << 20);
  const auto r = batch.records();
  BOOST_REQUIRE(r.size() == 3U);
  BOOST_TEST(r[0].offset == offset{2});
  BOOST_TEST(*r[0].value == "c");
  BOOST_TEST(batch.from() == offset{2});
  BOOST_TEST(batch.next() == offset{5});
}

LOG_CONTRACT(a_batch_larger_than_a_frame_keeps_every_record_and_offset) {
  const auto topic = f.create("orders");
  must(f.log().append(tp(topic), *batch_of({"first"})));
  std::vector<std::string> values;
  for (int i = 0; i < 3000; ++i) values.push_back(std::to_string(i) + std::string(100, 'x'));
  BOOST_TEST(must(f.log().append(tp(topic), *batch_of(values))).base == offset{1});

  const auto reader = must(f.log().open_reader(tp(topic)));
  offset from{1};
  int reads = 0;
  std::size_t n = 0;
  while (from < offset{3001}) {
    const auto batch = read_at_hand(f.log(), *reader, from, 16 << 10);
    BOOST_REQUIRE(!batch.empty());
    for (const auto& r : batch.records()) {
      BOOST_REQUIRE(r.offset == offset{static_cast<std::int64_t>(n) + 1});
      BOOST_REQUIRE(*r.value == values[n]);
      BOOST_REQUIRE((r.time == at(static_cast<std::int64_t>(n))));
      ++n;
    }
    from = batch.next();
    ++reads;
  }
  BOOST_TEST(n == values.size());
  BOOST_TEST(reads > 3);
  // From anywhere, also on and beside the frames' borders.
  for (std::int64_t i = 1; i < 3001; i += 97) {
    const auto batch = read_at_hand(f.log(), *reader, offset{i}, 1);
    BOOST_REQUIRE(batch.records().front().offset == offset{i});
  }
}

LOG_CONTRACT(one_record_larger_than_a_frame_is_read_whole) {
  const auto topic = f.create("orders");
  const std::string large(300'000, 'L');
  must(f.log().append(tp(topic), *batch_of({"a", large, "b"})));
  BOOST_TEST(
      (values_of(f.log(), tp(topic), offset{0}, 1) == std::vector<std::string>{"a", large, "b"}));
}

LOG_CONTRACT(a_read_takes_about_as_much_as_was_asked_for) {
  const auto topic = f.create("orders");
  for (int i = 0; i < 20; ++i) must(f.log().append(tp(topic), *batch_of({std::string(1000, 'x')})));
  const auto reader = must(f.log().open_reader(tp(topic)));
  BOOST_TEST(read_at_hand(f.log(), *reader, offset{0}, 1).records().size() == 1U);
  const auto some = read_at_hand(f.log(), *reader, offset{0}, 5000).records().size();
  BOOST_TEST(some >= 2U);
  BOOST_TEST(some <= 5U);
  BOOST_TEST(read_at_hand(f.log(), *reader, offset{0}, 1 << 20).records().size() == 20U);
}

LOG_CONTRACT(values_are_aligned_to_eight_bytes) {
  const auto topic = f.create("orders");
  record_batch b;
  for (std::size_t i = 0; i < 50; ++i) {
    b.add(at(0), std::string(i, 'k'), std::string(i * 3, 'v'), {{"h", std::string(i, 'h')}});
  }
  must(f.log().append(tp(topic), b));
  must(f.log().append(tp(topic), b));
  const auto batch = read_at_hand(f.log(), tp(topic), offset{0}, 1 << 20);
  for (const auto& r : batch.records()) {
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(r.value->data()) % 8 == 0U);
  }
}

LOG_CONTRACT(what_was_read_outlives_its_reader) {
  const auto topic = f.create("orders");
  must(f.log().append(tp(topic), *batch_of({"a", "b"})));
  read_batch batch;
  {
    const auto reader = must(f.log().open_reader(tp(topic)));
    batch = read_at_hand(f.log(), *reader, offset{0}, 1 << 20);
    for (int i = 0; i < 100; ++i) must(f.log().append(tp(topic), *batch_of({"x", "y"})));
    read_at_hand(f.log(), *reader, offset{2}, 1 << 20);
  }
  BOOST_TEST(*batch.records()[1].value == "b");
}

LOG_CONTRACT(what_is_read_at_a_time_is_bounded_with_its_headers) {
  const auto topic = f.create("orders");
  for (int i = 0; i < 16; ++i) {
    record_batch b;
    b.add(at(i), "k", "v", {{"trace", std::string(50'000, 't')}});
    must(f.log().append(tp(topic), b));
  }
  const auto reader = must(f.log().open_reader(tp(topic)));
  const auto read = read_at_hand(f.log(), *reader, offset{0}, 160'000).records().size();
  BOOST_TEST(read >= 1U);
  BOOST_TEST(read <= 4U);
}

LOG_CONTRACT(reading_at_the_end_gives_nothing_and_past_it_is_refused) {
  const auto topic = f.create("orders");
  must(f.log().append(tp(topic), *batch_of({"a"})));
  const auto reader = must(f.log().open_reader(tp(topic)));
  BOOST_TEST(read_at_hand(f.log(), *reader, offset{1}, 100).empty());
  must_fail(reader->read(offset{2}, 100), errc::out_of_range, "orders[0]@2");
  must_fail(reader->read(offset{-1}, 100), errc::out_of_range, "orders[0]@-1");
  must(f.log().append(tp(topic), *batch_of({"b"})));
  BOOST_TEST(*read_at_hand(f.log(), *reader, offset{1}, 100).records()[0].value == "b");
}

LOG_CONTRACT(an_append_of_nothing_is_refused) {
  const auto topic = f.create("orders");
  must_fail(f.log().append(tp(topic), record_batch{}), errc::invalid_argument, "orders[0]");
}

LOG_CONTRACT(a_record_over_the_limit_is_refused_and_names_the_limit) {
  topic_config c;
  c.name = "small";
  c.max_record_bytes = 1000;
  const auto topic = f.create(c);
  must_fail(f.log().append(tp(topic), *batch_of({"fits", std::string(1000, 'x')})), errc::too_large,
            "1000");
  BOOST_TEST(must(f.log().bounds(tp(topic))).latest == offset{0});
  must(f.log().append(tp(topic), *batch_of({std::string(900, 'x')})));
}

LOG_CONTRACT(an_unknown_topic_or_partition_is_named) {
  const auto topic = f.create("orders", 2);
  must_fail(f.log().append(tp("nowhere"), *batch_of({"a"})), errc::not_found, "nowhere");
  must_fail(f.log().append(tp(topic, 2), *batch_of({"a"})), errc::not_found, "orders[2]");
  must_fail(f.log().bounds(tp(topic, -1)), errc::not_found, "orders[-1]");
  must_fail(f.log().open_reader(tp("nowhere")), errc::not_found, "nowhere");
  BOOST_TEST(!must(f.log().find_topic("nowhere")));
}

LOG_CONTRACT(everything_is_there_after_a_restart) {
  const auto topic = f.create("orders", 2);
  const auto id = f.log().id();
  must(f.log().append(tp(topic, 1), *batch_of({"a", "b"})));
  f.reopen();
  BOOST_TEST(f.log().id() == id);
  BOOST_TEST(must(f.log().find_topic(topic))->partitions == 2);
  BOOST_TEST((values_of(f.log(), tp(topic, 1)) == std::vector<std::string>{"a", "b"}));
  BOOST_TEST(must(f.log().append(tp(topic, 1), *batch_of({"c"}))).base == offset{2});
}

LOG_CONTRACT(appends_of_many_threads_all_arrive_once) {
  constexpr int threads = 4;
  constexpr int each = 50;
  const auto topic = f.create("orders", 2);
  std::vector<std::vector<offset>> bases(threads);
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        auto r =
            f.log().append(tp(topic, t % 2), *batch_of({fmt::format("{}-{}", t, i), "second"}));
        if (r) bases[std::size_t(t)].push_back(r->base);
      }
    });
  }
  for (auto& r : running) r.join();
  for (std::int32_t n = 0; n < 2; ++n) {
    BOOST_TEST(values_of(f.log(), tp(topic, n)).size() == std::size_t(threads / 2 * each * 2));
  }
  for (int t = 0; t < threads; ++t) {
    BOOST_REQUIRE(bases[std::size_t(t)].size() == std::size_t(each));
    const auto all = values_of(f.log(), tp(topic, t % 2));
    for (int i = 0; i < each; ++i) {
      const auto base = std::size_t(bases[std::size_t(t)][std::size_t(i)].value);
      BOOST_REQUIRE(all[base] == fmt::format("{}-{}", t, i));
      BOOST_REQUIRE(all[base + 1] == "second");
    }
  }
}

LOG_CONTRACT(a_repeated_sequence_is_not_appended_again) {
  const auto topic = f.create("orders", 2);
  auto& log = f.log();
  BOOST_TEST(!must(log.append(tp(topic), *batch_of({"a"}), producer_sequence{"p", 1})).duplicate);
  const auto second = must(log.append(tp(topic), *batch_of({"b"}), producer_sequence{"p", 2}));
  BOOST_TEST((second.base >= offset{1}));
  const auto again = must(log.append(tp(topic), *batch_of({"b"}), producer_sequence{"p", 2}));
  BOOST_TEST(again.duplicate);
  BOOST_TEST(again.base == second.base);
  BOOST_TEST(must(log.append(tp(topic), *batch_of({"a"}), producer_sequence{"p", 1})).duplicate);
  // Another producer and another partition count for themselves.
  BOOST_TEST(!must(log.append(tp(topic), *batch_of({"c"}), producer_sequence{"q", 1})).duplicate);
  BOOST_TEST(
      !must(log.append(tp(topic, 1), *batch_of({"d"}), producer_sequence{"p", 1})).duplicate);
  // A gap is no repetition.
  BOOST_TEST(!must(log.append(tp(topic), *batch_of({"e"}), producer_sequence{"p", 9})).duplicate);
  BOOST_TEST((values_of(log, tp(topic)) == std::vector<std::string>{"a", "b", "c", "e"}));
  f.reopen();
  BOOST_TEST(
      must(f.log().append(tp(topic), *batch_of({"e"}), producer_sequence{"p", 9})).duplicate);
  BOOST_TEST(values_of(f.log(), tp(topic)).size() == 4U);
}

LOG_CONTRACT(threads_that_repeat_one_sequence_append_it_once) {
  const auto topic = f.create("orders");
  std::vector<std::thread> running;
  for (int t = 0; t < 4; ++t) {
    running.emplace_back([&] {
      for (std::uint64_t s = 1; s <= 20; ++s) {
        (void)f.log().append(tp(topic), *batch_of({std::to_string(s)}), producer_sequence{"p", s});
      }
    });
  }
  for (auto& r : running) r.join();
  const auto values = values_of(f.log(), tp(topic));
  BOOST_REQUIRE(!values.empty());
  BOOST_TEST(values.back() == "20");
  for (std::size_t i = 1; i < values.size(); ++i) {
    BOOST_TEST(std::stoi(values[i - 1]) < std::stoi(values[i]));
  }
}

LOG_CONTRACT(a_producer_needs_a_name) {
  const auto topic = f.create("orders");
  must_fail(f.log().append(tp(topic), *batch_of({"a"}), producer_sequence{"", 1}),
            errc::invalid_argument);
  must_fail(
      f.log().append(tp(topic), *batch_of({"a"}), producer_sequence{std::string(101, 'p'), 1}),
      errc::invalid_argument);
}

}  // namespace log_contract
